"""A corpus that is read and cleaned once, though a tokenizer is trained on it, or its words are counted, before it is encoded. It knows
documents and a file.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from weitiao.data.corpus_cleaning import Document
from weitiao.data.ledger import Ledger
from weitiao.runs import writing

LOOKED_AT, READ = 500, 1_000_000  # documents by which a language is told, and characters in them: a document may be a book
BEGINNING = 500  # characters


def beginnings(documents: Iterable[Document]) -> list[str]:
    """The beginnings of the first documents: enough to tell a language."""
    found, read = [], 0
    for one in documents:
        found.append(one.text[:BEGINNING])
        read += len(one.text)
        if len(found) == LOOKED_AT or read > READ:
            break
    return found


class Corpus:
    """The documents of a corpus.

    Args:
        read: reads and cleans them, counting in a ledger what is left out.
        ledger: counts it, once.
        file: where cleaned documents wait for the second who asks, as long as this lives.
    """

    def __init__(self, read: Callable[[Ledger], Iterator[Document]], ledger: Ledger, file: Path) -> None:
        self._read, self._ledger, self._file = read, ledger, file
        self._waiting = False  # all of them, in the file

    def kept(self) -> Iterator[Document]:
        """All documents, which are written down on the way, so that the next time they need not be cleaned again."""
        with writing(self._file), self._file.open("w", encoding="utf-8", errors="surrogatepass", newline="\n") as file:
            for one in self._read(self._ledger):
                file.write(json.dumps([one.text, one.source, one.row], ensure_ascii=False) + "\n")
                yield one
        self._waiting = True

    def last(self) -> Iterator[Document]:
        """All documents for the last time: what waited in the file is removed behind them."""
        if not self._waiting:
            yield from self._read(self._ledger)
            return
        with self._file.open(encoding="utf-8", errors="surrogatepass") as file:
            yield from (Document(*json.loads(line)) for line in file)
        self._file.unlink()
