"""The texts that zh-mini learns from: gathered, cleaned, and without what a validation or test row of the data sets holds as well."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from weitiao.data.corpus import documents
from weitiao.data.ledger import ShortLedger

RUN = 15  # characters: a line that shares a run of so many with an evaluation row is not learned from
# How often an epoch reads each source. History is three quarters of the characters, and nobody's reviews are written like it.
SOURCES = {
    "text_zh_large/history_modern.txt.xz": 1,
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


def gather(data: Path, out: Path) -> dict[str, Any]:
    """Write the corpus, a document a line, each as often as its source is read.

    Args:
        data: the folder of data sets.

    Returns:
        Counts: by source {"lines", "documents", "characters", "measured": left out because of a measured row, "left_out": by reason}.
    """
    forbidden = runs_of(text for name in MEASURED for text in texts_of(data / name))
    counts: dict[str, Any] = {}
    with out.open("w", encoding="utf-8") as file:
        for name, times in SOURCES.items():
            ledger, told = ShortLedger(), Counter[str]()
            for document in documents([data / name], ledger=ledger):
                text = " ".join(document.text.split())
                if forbidden.isdisjoint(runs(text)):
                    file.write((text + "\n") * times)
                    told.update(documents=1, characters=len(text))
                else:
                    told["measured"] += 1
            counts[name] = {**told, "times": times, "left_out": ledger.counts()}
    return counts


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
    """All runs of ``RUN`` characters, white space aside."""
    close = "".join(text.split())
    return (close[at : at + RUN] for at in range(len(close) - RUN + 1))


def runs_of(texts: Iterable[str]) -> frozenset[str]:
    """The runs of all these texts."""
    return frozenset(run for text in texts for run in runs(text))
