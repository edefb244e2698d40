"""A stream of documents without what teaches a model nothing: control characters, markup, repeats. Each is counted in the ledger.

It knows texts with their places, and nothing of files.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from weitiao.data.cleaning import is_blank
from weitiao.data.language import shingle_length
from weitiao.data.ledger import Ledger
from weitiao.data.normalising import normalise, text_keys
from weitiao.data.seen_texts import SeenKeys, SeenNearly

EMPTY = "empty_text"
_AT_ONCE = 256  # documents compared in one go
CHARACTERS_AT_ONCE = 500_000  # of documents that are in memory together, but for the last of them
# Not tabs and line breaks; U+FFFD too: it stands for a character that was lost before.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufff9-\ufffd]+")
_BREAKS = re.compile("\r\n?|[\x85\u2028\u2029]")
# Tags, templates, addresses, entities, the bars of tables and rules drawn with signs. An address ends where another script begins.
_MARKUP = re.compile(
    r"<[/!?]?[A-Za-z][^<>]{0,500}>|\{\{[^{}]{0,500}\}\}|(?:https?://|www\.)[\x21-\x7e]+|&(?:[A-Za-z]{2,8}|#\d{1,7});|[|{}\[\]<>\\^]|[-=_*#~+]{3,}"
)


@dataclass(frozen=True)
class Document:
    """One passage of a corpus.

    Attributes:
        text: what it says.
        source: the file as it was given.
        row: its number in it: of a text file the line at which it begins, else as ``Records`` counts.
    """

    text: str
    source: str
    row: int


def cleaned(documents: Iterable[Document], ledger: Ledger) -> Iterator[Document]:
    """The documents that are worth reading, in their order.

    >>> from weitiao.data.ledger import ShortLedger
    >>> ledger = ShortLedger()
    >>> texts = ["One\\x07 day.", "<b>|</b> |", "one DAY.", ""]
    >>> [one.text for one in cleaned([Document(text, "a.txt", row) for row, text in enumerate(texts, 1)], ledger)]
    ['One day.']
    >>> ledger.counts()
    {'repaired:control_characters': 1, 'dropped:markup': 1, 'dropped:empty_text': 1, 'dropped:exact_duplicate': 1}

    Memory: about 20 bytes a document that is kept, and 54 MB.
    """
    exact, near = SeenKeys(), SeenNearly()
    for batch in batches(documents, _AT_ONCE):
        mended = [one for one in (_mended(document, ledger) for document in batch) if one is not None]
        texts = [normalise(one.text) for one in mended]  # once: it is what takes longest
        fresh = []
        for document, text, key in zip(mended, texts, text_keys(texts).tolist(), strict=True):
            if exact.add(key):
                fresh.append((document, text))
            else:
                ledger.add(document.source, document.row, "dropped", "exact_duplicate")
        yield from _unlike(fresh, near, ledger)


def batches(documents: Iterable[Document], most: int) -> Iterator[list[Document]]:
    """Documents that are worked on together: at most so many, and fewer where they are long, so that memory is the same for lines and for
    books.

    >>> [len(batch) for batch in batches([Document("a" * 300_000, "a.txt", row) for row in range(5)], 100)]
    [2, 2, 1]
    """
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.text)
        if len(batch) >= most or size >= CHARACTERS_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _unlike(documents: list[tuple[Document, str]], near: SeenNearly, ledger: Ledger) -> Iterator[Document]:
    """Those that are no near-duplicates of what was there before, by their normalised texts."""
    lengths = [shingle_length(text) for _document, text in documents]
    new: dict[int, bool] = {}
    for shingle in sorted(set(lengths)):
        at = [index for index, length in enumerate(lengths) if length == shingle]
        new |= dict(zip(at, near.add([documents[index][1] for index in at], shingle), strict=True))
    for index, (document, _text) in enumerate(documents):
        if new[index]:
            yield document
        else:
            ledger.add(document.source, document.row, "dropped", "near_duplicate")


def _mended(document: Document, ledger: Ledger) -> Document | None:
    """The document without control characters and markup; None where nothing is left."""
    text = _BREAKS.sub("\n", document.text) if not document.text.isprintable() else document.text
    bare = _CONTROL.sub("", text)
    if bare != text:
        ledger.add(document.source, document.row, "repaired", "control_characters")
    lines = bare.split("\n")
    kept = [line for line in lines if not is_mostly_markup(line)]
    text = "\n".join(kept).strip() if len(kept) < len(lines) else bare.strip()
    if is_blank(text):
        ledger.add(document.source, document.row, "dropped", "markup" if len(kept) < len(lines) else EMPTY)
        return None
    if len(kept) < len(lines):
        ledger.add(document.source, document.row, "repaired", "markup_lines")
    return document if text == document.text else replace(document, text=text)


def is_mostly_markup(line: str) -> bool:
    """Whether tags, templates, addresses and the lines of tables make up more than half of what can be seen.

    >>> [is_mostly_markup(line) for line in ("<td>12</td>", "|---|---|", "https://example.org/a?b=1", "See <b>here</b>, my friend.", "")]
    [True, True, True, False, False]
    """
    markup = sum(end - start for start, end in (found.span() for found in _MARKUP.finditer(line)))
    return markup > 0 and 2 * markup > len(line) - line.count(" ")
