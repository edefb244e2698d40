"""A corpus as token ids on disk, laid out in blocks, written once and read by mapping. It knows ids and numbers, no tokenizer and no model.

A token is 16 or 32 bits; the highest of them says that it goes on with the word before it.
"""

import json
import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from weitiao.errors import RunError
from weitiao.messages import _
from weitiao.runs import write_text, writing

LEAST = 8  # a piece of a document is not begun with less room
FULL = 8  # an eighth of a block may stay empty where a document would have to be torn otherwise


class TokenWriter:
    """Writes pieces of documents, one behind the other, into blocks of at most ``size`` tokens.

    Args:
        folder: where the files go.
        vocabulary: number of token ids.
        size: tokens of a block.
        around: ids before and behind every piece, [CLS] and [SEP] say.
        through: whether blocks are cut from one stream, whatever document they are of, so that all but the last are full.

    ``add`` and ``close`` raise ResourceError where the folder cannot be written to.
    """

    def __init__(self, folder: Path, vocabulary: int, size: int, around: tuple[Sequence[int], Sequence[int]], *, through: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.size, self.through = folder, size, through
        self.kind = np.dtype(np.uint16 if vocabulary <= 1 << 15 else np.uint32)
        self.before, self.behind = (np.array(ids, dtype=self.kind) for ids in around)
        self.file = (folder / "tokens.bin").open("wb")
        self.pieces, self.blocks = array("q"), array("q")
        self.written = self.documents = 0
        self.used = size  # of the block; the first piece begins one

    def add(self, ids: np.ndarray, goes_on: np.ndarray | None = None) -> None:
        """Add a document, (tokens,) ids and whether each goes on with a word."""
        marked = ids.astype(self.kind)
        if goes_on is not None:
            marked |= goes_on.astype(self.kind) << self.kind.type(self.kind.itemsize * 8 - 1)
        self.documents += 1
        if self.through:
            self._put(np.concatenate([self.before, marked, self.behind]))
            return
        extra, at = len(self.before) + len(self.behind), 0
        while at < len(marked):
            left, room = len(marked) - at, self.size - self.used - extra
            if room < LEAST or (left > room and room < self.size // FULL):
                self._begin_block()
                room = self.size - extra
            taken = min(left, room)
            self.pieces.append(self.written)
            self._put(np.concatenate([self.before, marked[at : at + taken], self.behind]))
            self.used += taken + extra
            at += taken

    def _begin_block(self) -> None:
        self.blocks.append(len(self.pieces))
        self.used = 0

    def _put(self, tokens: np.ndarray) -> None:
        with writing(self.folder):
            tokens.tofile(self.file)
        self.written += len(tokens)

    def close(self) -> None:
        """Finish the files: what says that they are whole appears when they are on the disk. Tokens of a stream that fill no block are left
        out, and ``written`` no longer counts them.
        """
        if self.through:
            count = max(1, self.written // self.size) if self.written else 0  # what does not fill a last block is left out
            self.pieces = array("q", range(0, count * self.size, self.size))
            self.blocks = array("q", range(count))
            self.written = min(self.written, count * self.size)
        with writing(self.folder), self.file:
            _sync(self.file)
            for name, numbers, end in (("pieces", self.pieces, self.written), ("blocks", self.blocks, len(self.pieces))):
                with (self.folder / f"{name}.npy").open("wb") as file:
                    np.save(file, np.append(np.array(numbers, dtype=np.int64), end))
                    _sync(file)
        about = {"bits": self.kind.itemsize * 8, "tokens": self.written, "documents": self.documents, "blocks": len(self.blocks)}
        write_text(self.folder / "about.json", json.dumps(about))


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


class TokenFile:
    """What a ``TokenWriter`` wrote.

    Attributes:
        about: {"bits", "tokens", "documents", "blocks"}.

    Raises:
        RunError: files are missing, damaged or cut off.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about: dict[str, Any]
        try:
            self.about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
            self.kind = np.dtype(np.uint16 if self.about["bits"] == 16 else np.uint32)
            self.pieces, self.blocks = (np.load(folder / f"{name}.npy") for name in ("pieces", "blocks"))
            size = self.about["tokens"]
            if (self.pieces[-1], self.blocks[-1], len(self)) != (size, len(self.pieces) - 1, self.about["blocks"]):
                raise ValueError(_("its files are not of one corpus"))
            self.tokens: np.ndarray = (
                np.memmap(folder / "tokens.bin", dtype=self.kind, mode="r", shape=(size,)) if size else np.zeros(0, self.kind)
            )
        except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError) as error:  # ValueError: no JSON, no array, a file too short
            message = _(
                "The tokens of this run's corpus, in {folder}, are damaged or cut off ({error}), so it cannot go on. Start anew: "
                "weitiao pretrain with the same settings and --overwrite."
            )
            raise RunError(message.format(folder=folder, error=" ".join(str(error).split()).rstrip("."))) from error

    def __len__(self) -> int:
        """Blocks."""
        return len(self.blocks) - 1

    def block(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A block's ids, (tokens,); each one's place in its piece, from 0; and whether it goes on with a word."""
        begins = self.pieces[self.blocks[number] : self.blocks[number + 1] + 1]
        raw = np.asarray(self.tokens[begins[0] : begins[-1]])
        high = self.kind.itemsize * 8 - 1
        places = np.arange(len(raw)) - np.repeat(begins[:-1] - begins[0], np.diff(begins))
        return (raw & self.kind.type((1 << high) - 1)).astype(np.int64), places, (raw >> self.kind.type(high)).astype(bool)
