"""Documents become token files: one to learn from, one that is held out. It knows tokenizers and files, no model and no loop."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.data.corpus import is_held_out
from weitiao.data.corpus_cleaning import Document, batches
from weitiao.data.language import SAMPLE_CHARACTERS, language_of
from weitiao.data.ledger import Ledger
from weitiao.data.systematic_sample import SystematicSample
from weitiao.data.whole_words import has_chinese, tokens_going_on, word_segmenter
from weitiao.data.words_beside import words_beside
from weitiao.engine.pretraining.token_files import TokenWriter
from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.observer import Observer

TRAIN, HELD_OUT = "train", "held_out"
AT_ONCE = 512  # documents that are encoded together
LANGUAGE_OF = 200_000  # characters, evenly from all, by which the language is told
SHOWN, SHOWN_CHARACTERS = 3, 200  # held-out texts that the model is asked about while it trains


@dataclass(frozen=True)
class Layout:
    """How documents are laid into blocks.

    Attributes:
        size: tokens of a block, special ones included.
        through: one stream, cut wherever a block ends, so that a block may begin in one document and end in another; else no piece sees
            a document that it is not of.
        words: whether it is noted where words go on, and special tokens stand around each piece.
        held_out: share of the documents that is held out.
        seed: by which they are chosen.
    """

    size: int
    through: bool
    words: bool
    held_out: float
    seed: int


def write_tokens(
    folder: Path, documents: Iterable[Document], tokenizer: Any, layout: Layout, ledger: Ledger, observer: Observer, processes: int = 0
) -> dict[str, Any]:
    """Write the token files of a corpus, "train" and "held_out" in the folder.

    Args:
        tokenizer: of transformers.
        ledger: counts documents without tokens, and says what of a stream is left over.
        processes: that look for Chinese words; 0 is one a core.

    Returns:
        {"documents", "characters", "segmenter", "language", "sources": {file: {"documents", "characters"}}, "shown": [a few held-out
        texts, their beginnings]}

    Raises:
        ModelError: the tokenizer has no fast backend.
        DataError: see ``data.corpus.documents``.
    """
    backend = _backend(tokenizer)
    around = _ends(tokenizer) if layout.through else _around(backend) if layout.words else ([], [])
    segmenter = word_segmenter() if layout.words else ""
    sample, chinese = SystematicSample(LANGUAGE_OF, SAMPLE_CHARACTERS), False
    vocabulary = len(tokenizer)
    writers = {name: TokenWriter(folder / name, vocabulary, layout.size, around, through=layout.through) for name in (TRAIN, HELD_OUT)}
    sources: dict[str, dict[str, int]] = {}
    shown: list[str] = []
    ends: dict[str, deque[_End]] = {name: deque() for name in writers}
    done = 0
    for batch, encoded, inside in _encoded(documents, backend, segmenter, processes):
        for at, (document, one) in enumerate(zip(batch, encoded, strict=True)):
            ids = np.array(one.ids, dtype=np.int64)
            if not len(ids):
                ledger.add(document.source, document.row, "dropped", "no_tokens")
                continue
            goes_on = None if inside is None else tokens_going_on(inside[at], one.offsets)
            sample.add(document.text)
            chinese = chinese or has_chinese(document.text)
            name = HELD_OUT if is_held_out(document.text, layout.held_out, layout.seed) else TRAIN
            writers[name].add(ids, goes_on)
            if layout.through:
                _note_end(ends[name], _End(document.source, document.row, writers[name].written), layout.size)
            if name == HELD_OUT and len(shown) < SHOWN:
                shown.append(document.text[:SHOWN_CHARACTERS])
            counts = sources.setdefault(document.source, {"documents": 0, "characters": 0})
            counts["documents"] += 1
            counts["characters"] += len(document.text)
        done += len(batch)
        observer.progress("read", done, None, {})
    for name, writer in writers.items():
        writer.close()
        _note_left_over(ends[name], writer.written, layout.size, ledger)
    sums = {name: sum(counts[name] for counts in sources.values()) for name in ("documents", "characters")}
    found = segmenter if chinese or not segmenter else "words"
    return {**sums, "segmenter": found, "language": language_of(sample.texts), "sources": sources, "shown": shown}


@dataclass(frozen=True)
class _End:
    """Where in a stream a document ends: behind so many ``tokens``."""

    source: str
    row: int
    tokens: int


def _note_end(ends: deque[_End], end: _End, size: int) -> None:
    """Remember the end of a document, and no more of those before it than may be in a block that is not full."""
    ends.append(end)
    while len(ends) > 1 and ends[1].tokens <= end.tokens - size:
        ends.popleft()


def _note_left_over(ends: deque[_End], kept: int, size: int, ledger: Ledger) -> None:
    """Say of each document what of it is not among the ``kept`` tokens of its stream, because it fills no block."""
    begin = 0
    for end in ends:
        lost = end.tokens - max(begin, kept)
        if lost > 0:
            detail = _("The last {count} tokens fill no block of {size}, and are left out.").format(count=lost, size=size)
            ledger.add(end.source, end.row, "truncated" if begin < kept else "dropped", "fills_no_block", detail)
        begin = end.tokens


def _encoded(
    documents: Iterable[Document], backend: Any, segmenter: str, processes: int
) -> Iterator[tuple[list[Document], list[Any], list[np.ndarray] | None]]:
    """Documents in batches, with their encodings and, where words are looked for, where they go on. Words are found some batches ahead."""
    coming = batches(documents, AT_ONCE)
    if not segmenter:
        for batch in coming:
            yield batch, backend.encode_batch_fast([one.text for one in batch], add_special_tokens=False), None
        return
    with words_beside(segmenter, processes) as finder:
        waiting: deque[tuple[list[Document], Any]] = deque()
        while True:
            for batch in itertools.islice(coming, 2 * finder.processes + 1 - len(waiting)):
                waiting.append((batch, finder.ask([one.text for one in batch])))
            if not waiting:
                return
            batch, answer = waiting.popleft()
            yield batch, backend.encode_batch([one.text for one in batch], add_special_tokens=False), answer.result()


def _backend(tokenizer: Any) -> Any:
    """A copy of the tokenizer's fast backend that cuts nothing and takes "[MASK]" in a text for what is written there."""
    from tokenizers import Tokenizer

    own = getattr(tokenizer, "backend_tokenizer", None)
    if own is None:
        raise ModelError(_("Pretraining needs a tokenizer with a fast backend (tokenizer.json). Choose another model or --tokenizer."))
    backend = Tokenizer.from_str(own.to_str())
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
    return backend


def _around(backend: Any) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and behind a text."""
    one = backend.encode("a", add_special_tokens=True)
    flags = one.special_tokens_mask
    before = list(itertools.takewhile(lambda pair: pair[1], zip(one.ids, flags, strict=True)))
    behind = list(itertools.takewhile(lambda pair: pair[1], zip(reversed(one.ids), reversed(flags), strict=True)))
    return [number for number, _flag in before], [number for number, _flag in reversed(behind)]


def _ends(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What stands before and behind a document in a stream: the mark that begins one where the tokenizer writes it, and that of its end."""
    backend = _backend(tokenizer)
    before = backend.encode("a", add_special_tokens=True).ids[:1]
    begins = before == [tokenizer.bos_token_id]
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    return (before if begins else []), ([] if end is None else [end])
