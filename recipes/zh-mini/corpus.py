"""The texts that zh-mini learns from: gathered, cleaned, and without what a validation or test row of the data sets holds as well."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from weitiao.data.corpus import documents
from weitiao.data.ledger import Action, ShortLedger
from weitiao.data.normalising import normalise

RUN = 15  # characters: a line that shares a run of so many with an evaluation row is not learned from
_SIGNS = re.compile(r"[\W_]+")  # what is no letter and no digit
HISTORIES = "text_zh_large/history_modern.txt.xz"
# How often an epoch reads each source. History is three quarters of the different characters, and nobody's reviews are written like it.
SOURCES = {
    HISTORIES: 1,
    "text_zh_large/shopping_reviews.txt.xz": 3,
    "text_zh_large/news_and_comments.txt.xz": 3,
    "text_zh/wiki_paragraphs.txt": 3,
    "summaries_zh/train.jsonl": 3,
    "keywords_zh/train.jsonl": 3,
}
# All rows in Chinese that anything is ever measured on.
MEASURED = (
    "hotel_reviews_zh/val.csv",
    "hotel_reviews_zh/test.csv",
    *(f"{name}/val.jsonl" for name in ("news_topics_zh", "ner_zh", "summaries_zh", "keywords_zh", "translation_classical_modern_zh")),
    "qa_zh/val.json",
)


class LedgerBySource(ShortLedger):
    """Counts what is left out of each file."""

    def __init__(self) -> None:
        super().__init__()
        self.by_source: dict[str, Counter[str]] = {}

    def add(self, source: str, row: int, action: Action, reason: str, detail: str = "") -> None:
        """Count what was done to a row."""
        super().add(source, row, action, reason, detail)
        self.by_source.setdefault(source, Counter())[f"{action}:{reason}"] += 1


def gather(data: Path, out: Path) -> dict[str, Any]:
    """Write the corpus, a document a line, each as often as its source is read. What repeats a document of another source is left out too.

    Args:
        data: the folder of data sets.

    Returns:
        Counts: by source {"lines", "documents", "characters", "measured": left out because of a measured row, "left_out": by reason}.
    """
    forbidden = runs_of(text for name in MEASURED for text in texts_of(data / name))
    names = {str(data / name): name for name in SOURCES}
    told = {name: Counter[str]() for name in SOURCES}
    ledger = LedgerBySource()
    with out.open("w", encoding="utf-8") as file:
        for document in documents(list(names), ledger=ledger):
            name, text = names[document.source], " ".join(document.text.split())
            if forbidden.isdisjoint(runs(text)):
                file.write((text + "\n") * SOURCES[name])
                told[name].update(documents=1, characters=len(text))
            else:
                told[name]["measured"] += 1
    left_out = {names[source]: dict(counts.most_common()) for source, counts in ledger.by_source.items()}
    return {name: {**told[name], "times": times, "left_out": left_out.get(name, {})} for name, times in SOURCES.items()}


def texts_of(path: Path) -> Iterator[str]:
    """Every text in a file of examples, whatever its shape: long strings anywhere in it, and tokens put together."""
    if path.suffix == ".csv":
        import csv

        with path.open(encoding="utf-8", newline="") as file:
            yield from (cell for row in csv.reader(file) for cell in row)
    elif path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as lines:
            yield from (text for line in lines for text in strings(json.loads(line)))
    else:
        yield from strings(json.loads(path.read_text(encoding="utf-8")))


def strings(value: Any) -> Iterator[str]:
    """The strings in a JSON value; a list of short ones is a text in pieces."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            yield "".join(value)
        for one in value:
            yield from strings(one)


def runs(text: str) -> Iterator[str]:
    """All runs of ``RUN`` characters, white space aside; and all of so many letters and digits, in one width and case, whatever signs stand
    between them.
    """
    for close in ("".join(text.split()), _SIGNS.sub("", normalise(text))):
        yield from (close[at : at + RUN] for at in range(len(close) - RUN + 1))


def runs_of(texts: Iterable[str]) -> frozenset[str]:
    """The runs of all these texts."""
    return frozenset(run for text in texts for run in runs(text))
