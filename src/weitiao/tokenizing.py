"""A corpus becomes a tokenizer: its texts are read once, set aside in a temporary file, counted, trained on and measured.

    weitiao.train_tokenizer("novels/", out="tokenizers/novels", kind="bpe", vocab_size=8000)

It knows the order of these steps; what each means stands in ``data.corpus`` and ``engine.tokenizer_*``. It needs no torch.
"""

import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from weitiao.config import TokenizerSettings
from weitiao.data.corpus import documents, is_held_out
from weitiao.data.ledger import ShortLedger
from weitiao.engine import tokenizer_figures, tokenizer_folder
from weitiao.engine.architectures import CHARACTERS, LLAMA_BPE, ROBERTA_BPE, SENTINEL_UNIGRAM, WORDPIECE, Tokens
from weitiao.engine.tokenizer_training import least, normaliser, trained
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import atomic, writing

KINDS: dict[str, Tokens] = {
    "wordpiece": WORDPIECE,
    "bpe": LLAMA_BPE,
    "byte-bpe": ROBERTA_BPE,
    "unigram": SENTINEL_UNIGRAM,
    "char": CHARACTERS,
}
FAMILIES = {"wordpiece": "BERT, ELECTRA", "bpe": "Llama", "byte-bpe": "RoBERTa, BART, GPT-2", "unigram": "T5", "char": "BERT"}
# Characters that a trainer gets where nobody says how many: of Chinese, BPE keeps nearly all it has read in memory, at some 290 bytes a
# character, and Unigram takes a minute for every million. The others keep the words alone.
_ENOUGH = {"bpe": 5_000_000, "byte-bpe": 5_000_000, "unigram": 2_000_000}
_MEASURED = 2_000_000  # characters of held-out texts that the report is about
_TOLD_EVERY = 1000  # documents


@dataclass
class _Read:
    """What reading the corpus found.

    Attributes:
        spool: the training texts as they are in the corpus, one JSON text a line.
        counts: how often each character stands in them, once normalised.
        held: texts that are only measured on.
        documents, characters: of the training texts.
        held_documents: all that were held out, measured on or not.
    """

    spool: IO[str]
    counts: Counter[str] = field(default_factory=Counter)
    held: list[str] = field(default_factory=list)
    documents: int = 0
    characters: int = 0
    held_documents: int = 0


def train_tokenizer(
    sources: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    beside: Sequence[str] = (),
    observer: Observer = SILENT,
    **settings: Any,
) -> dict[str, Any]:
    """Train a tokenizer on a corpus and write it as a folder that ``AutoTokenizer`` loads, with what was measured in its README.md.

    Args:
        sources: files and folders, see ``data.corpus.documents``.
        out: the folder to write, which must not be there.
        beside: models whose tokenizers are measured beside it: folders, hub ids that are on this machine; the packaged base by itself.
        settings: the fields of ``config.TokenizerSettings``.

    Returns:
        {"out", "kind", "family", "vocabulary", "special_tokens", "alphabet", "corpus", "ledger", "measured_on", "tokenizers", "longest",
        "example", "seconds"}; "tokenizers" are the figures of each, the new one first.

    Raises:
        UsageError: an impossible setting; a vocabulary too small for the characters.
        DataError: see ``data.corpus.documents``.
        RunError: ``out`` is there already.
        ModelError, NetworkError: one of ``beside`` cannot be had.
    """
    begun = time.monotonic()
    chosen = TokenizerSettings.of(settings)
    tokens = KINDS[chosen.kind]
    if chosen.lowercase and chosen.kind not in ("wordpiece", "char"):
        message = _("--lowercase is for --kind wordpiece and char; models of the kind {kind} tell capitals apart. Leave it out.")
        raise UsageError(message.format(kind=chosen.kind))
    place = Path(out)
    tokenizer_folder.check_free(place)
    others = {**tokenizer_figures.packaged(), **tokenizer_figures.beside(beside)}
    given = [sources] if isinstance(sources, (str, Path)) else list(sources)
    ledger = ShortLedger()
    with ExitStack() as stack:
        with writing(_place_of_spool()):
            spool = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n"))
        read = _Read(spool)
        _gather(given, tokens, chosen, ledger, read, observer)
        kept = _alphabet(read.counts, tokens, chosen)
        taken = min(chosen.characters or _ENOUGH.get(tokens.model, read.characters), read.characters)
        observer.note(_("Training the tokenizer on {count:,} characters …").format(count=taken))
        first = normaliser(tokens, lowercase=chosen.lowercase)
        texts = _texts(read, taken, first, frozenset(kept) if tokens.model not in ("byte-bpe", "char") else None)
        tokenizer = trained(tokens, texts, chosen.vocab_size, lowercase=chosen.lowercase, characters=kept)
        measured = read.held or list(_first(read))
    report = _report(tokenizer, others, measured)
    report = {
        "out": str(place),
        "kind": chosen.kind,
        "family": FAMILIES[chosen.kind],
        "lowercase": chosen.lowercase,
        "vocabulary": tokenizer.get_vocab_size(),
        "special_tokens": dict(tokens.special),
        "alphabet": {"characters": len(kept), "of": len(read.counts), "needed": least(tokens, kept)},
        "corpus": {
            "sources": [str(source) for source in given],
            "documents": read.documents,
            "characters": read.characters,
            "trained_on": taken,
            "held_out": read.held_documents,
        },
        "ledger": ledger.counts(),
        "measured_on": {"split": "held_out" if read.held else "train", "documents": len(measured)},
        **report,
        "seconds": round(time.monotonic() - begun, 1),
    }
    _write(place, tokenizer, tokens, chosen, report)
    return report


def _gather(sources: list[Any], tokens: Tokens, chosen: TokenizerSettings, ledger: ShortLedger, read: _Read, observer: Observer) -> None:
    """Read the corpus once, the training texts into the temporary file."""
    stream = documents(
        sources,
        text_column=chosen.text_column or None,
        clean=not chosen.raw,
        ledger=ledger,
        document=chosen.document,
        encoding=chosen.encoding,
        max_bad_rows=chosen.max_bad_rows,
    )
    first = normaliser(tokens, lowercase=chosen.lowercase)
    measured = 0
    for number, one in enumerate(stream, 1):
        if number % _TOLD_EVERY == 0:
            observer.progress("read", number, None, {})
        if is_held_out(one.text, chosen.held_out, chosen.seed):
            read.held_documents += 1
            if measured < _MEASURED:
                read.held.append(one.text)
                measured += len(one.text)
            continue
        with writing(_place_of_spool()):
            read.spool.write(json.dumps(one.text, ensure_ascii=False) + "\n")
        read.counts.update(first.normalize_str(one.text) if first is not None else one.text)
        read.documents += 1
        read.characters += len(one.text)
    if not read.documents:
        message = _("All {count} documents of the corpus were held out. Give more of them, or lower --held-out.")
        raise UsageError(message.format(count=read.held_documents))
    with writing(_place_of_spool()):
        read.spool.flush()


def _place_of_spool() -> Path:
    """The folder of the temporary file."""
    return Path(tempfile.gettempdir())


def _alphabet(counts: Counter[str], tokens: Tokens, chosen: TokenizerSettings) -> list[str]:
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
            "of the text, must fit. Type --vocab-size {needed} or more, or spell fewer characters with --coverage."
        )
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
        text = first.normalize_str(text) if first is not None else text
        yield other.sub(" ", text) if other is not None else text


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


def _report(tokenizer: Any, others: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    """The figures of the new tokenizer and of those beside it, and how each cuts one text."""
    compared = {"": tokenizer, **others}
    whole = [text for text in texts if 20 <= len(text) <= 80] or [text[:80] for text in texts]
    example = whole[len(whole) // 2]
    return {
        "tokenizers": [{"name": name, **tokenizer_figures.figures(one, texts)} for name, one in compared.items()],
        "longest": tokenizer_figures.longest_pieces(tokenizer),
        "example": {
            "text": example,
            "tokens": [{"name": name, "tokens": tokenizer_figures.tokens_as_read(one, example)} for name, one in compared.items()],
        },
    }


def _write(place: Path, tokenizer: Any, tokens: Tokens, chosen: TokenizerSettings, report: dict[str, Any]) -> None:
    from weitiao.report.tokenizer_card import tokenizer_card

    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    with atomic(place) as temporary:
        temporary.mkdir()
        tokenizer_folder.write_tokenizer(temporary, tokenizer, tokens, max_length=chosen.model_max_length)
        (temporary / "README.md").write_text(tokenizer_card(report), encoding="utf-8", newline="\n")
