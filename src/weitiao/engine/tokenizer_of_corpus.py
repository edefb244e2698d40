"""A tokenizer trained on a corpus of any size: its texts are read once, set aside in a temporary file, counted and trained on, and a share
of them is held out to measure on. It knows texts and settings, and not where they come from.
"""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from weitiao.config import TokenizerSettings
from weitiao.data.corpus import is_held_out
from weitiao.engine.architectures import Tokens
from weitiao.engine.tokenizer_training import least, normaliser, trained
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import writing

# Characters that a trainer gets where nobody says how many: of Chinese, BPE keeps nearly all it has read in memory, at some 290 bytes a
# character, and Unigram takes a minute for every million. The others keep the words alone.
_ENOUGH = {"bpe": 5_000_000, "byte-bpe": 5_000_000, "unigram": 2_000_000}
_MEASURED = 2_000_000  # characters of held-out texts that the report is about
_TOLD_EVERY = 1000  # documents
_LONGEST = 100_000  # characters of a text that a trainer gets: it reads 256 of them ahead


@dataclass
class _Read:
    """What reading the corpus found.

    Attributes:
        spool: the training texts as they are in the corpus, one JSON text a line.
        place: the folder that it is in.
        counts: how often each character stands in them, once normalised.
        held: texts that are only measured on.
        documents, characters: of the training texts.
        held_documents: all that were held out, measured on or not.
    """

    spool: IO[str]
    place: Path
    counts: Counter[str] = field(default_factory=Counter)
    held: list[str] = field(default_factory=list)
    documents: int = 0
    characters: int = 0
    held_documents: int = 0


@dataclass(frozen=True)
class OfCorpus:
    """A tokenizer, and what it was made of.

    Attributes:
        tokenizer: a ``tokenizers.Tokenizer``.
        alphabet: the characters that it spells, most frequent first.
        characters_seen: how many different ones the texts have.
        documents, characters: of the training texts.
        held_out: documents that it was not trained on.
        taken: characters that it was trained on.
        measured: texts to measure on, held out where there are such.
        of_held_out: whether they are.
    """

    tokenizer: Any
    alphabet: list[str]
    characters_seen: int
    documents: int
    characters: int
    held_out: int
    taken: int
    measured: list[str]
    of_held_out: bool


def of_corpus(
    texts: Iterable[str], tokens: Tokens, chosen: TokenizerSettings, observer: Observer, *, place: Path, advice: str = ""
) -> OfCorpus:
    """Train a tokenizer of a kind on texts, which are read once.

    Args:
        place: the folder of the temporary file, which is as large as the corpus: the system's own is often in memory.
        advice: what else may be done where the vocabulary is too small for the characters.

    Raises:
        UsageError: it is; or every text was held out.
        ResourceError: no room for the temporary file.
    """
    with ExitStack() as stack:
        with writing(place):
            spool = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n", dir=place))
        read = _Read(spool, place)
        first = normaliser(tokens, lowercase=chosen.lowercase)
        _gather(texts, first, chosen, read, observer)
        kept = _alphabet(read.counts, tokens, chosen, advice)
        taken = min(chosen.characters or _ENOUGH.get(tokens.model, read.characters), read.characters)
        observer.note(_("Training the tokenizer on {count:,} characters …").format(count=taken))
        given = _texts(read, taken, first, frozenset(kept) if tokens.model not in ("byte-bpe", "char") else None)
        tokenizer = trained(tokens, given, chosen.vocab_size, lowercase=chosen.lowercase, characters=kept)
        measured = read.held or list(_first(read))
    return OfCorpus(
        tokenizer, kept, len(read.counts), read.documents, read.characters, read.held_documents, taken, measured, bool(read.held)
    )


def _gather(texts: Iterable[str], first: Any, chosen: TokenizerSettings, read: _Read, observer: Observer) -> None:
    """Read the corpus once, the training texts into the temporary file."""
    measured = 0
    for number, text in enumerate(texts, 1):
        if number % _TOLD_EVERY == 0:
            observer.progress("read", number, None, {})
        if is_held_out(text, chosen.held_out, chosen.seed):
            read.held_documents += 1
            if measured < _MEASURED:
                read.held.append(text)
                measured += len(text)
            continue
        with writing(read.place):
            read.spool.write(json.dumps(text, ensure_ascii=False) + "\n")
        read.counts.update(first.normalize_str(text) if first is not None else text)
        read.documents += 1
        read.characters += len(text)
    if not read.documents:
        message = _("All {count} documents of the corpus were held out. Give more of them, or lower --held-out.")
        raise UsageError(message.format(count=read.held_documents))
    with writing(read.place):
        read.spool.flush()


def _alphabet(counts: Counter[str], tokens: Tokens, chosen: TokenizerSettings, advice: str) -> list[str]:
    """The characters that are spelled, most frequent first. Raises UsageError where the vocabulary has no room for them."""
    # White space is spelled by the words around it; only "char" has entries for it.
    counted = [(character, count) for character, count in counts.items() if tokens.model == "char" or not character.isspace()]
    counted.sort(key=lambda item: (-item[1], item[0]))
    left = chosen.coverage * sum(count for _character, count in counted)
    kept = []
    for character, count in counted:
        if left <= 0:
            break
        kept.append(character)
        left -= count
    needed = least(tokens, kept)
    if needed > chosen.vocab_size:
        message = _(
            "--vocab-size is {size}, and {needed} is the least here: special tokens, and the {count} characters that make up {share:.4g}% "
            "of the text, must fit. Type --vocab-size {needed} or more."
        )
        message += " " + advice if advice else ""
        if tokens.model == "byte-bpe":
            message = _("--vocab-size is {size}, and {needed} is the least for byte-bpe: special tokens and the 256 bytes must fit.")
        values = {"size": chosen.vocab_size, "needed": needed, "count": len(kept), "share": chosen.coverage * 100}
        raise UsageError(message.format(**values))
    return kept


def _texts(read: _Read, taken: int, first: Any, kept: frozenset[str] | None) -> Iterator[str]:
    """Training texts with just so many characters, evenly from all of them, normalised by ``first``; what is not ``kept`` is a space, so
    that no piece holds it. The one that goes beyond is cut.
    """
    read.spool.seek(0)
    other = None
    if kept is not None and len(kept) < len(read.counts):
        other = re.compile("[^ " + "".join(map(re.escape, sorted(kept))) + "]")
    seen = given = 0
    for line in read.spool:
        text: str = json.loads(line)
        seen += len(text)
        if given * read.characters > seen * taken:  # ahead of its share
            continue
        text = text[: taken - given]
        given += len(text)
        if not text:
            return
        for part in _parts(text):
            part = first.normalize_str(part) if first is not None else part
            yield other.sub(" ", part) if other is not None else part


def _parts(text: str) -> Iterator[str]:
    """A long text in parts, each but the first beginning with white space where there is some."""
    at = 0
    while len(text) - at > _LONGEST:
        end = max(text.rfind(space, at + 1, at + _LONGEST) for space in " \n")
        end = end if end > 0 else at + _LONGEST
        yield text[at:end]
        at = end
    yield text[at:]


def _first(read: _Read) -> Iterator[str]:
    """The first training texts, where nothing was held out to measure on."""
    read.spool.seek(0)
    size = 0
    for line in read.spool:
        if size >= _MEASURED:
            break
        text: str = json.loads(line)
        size += len(text)
        yield text
