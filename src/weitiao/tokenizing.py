"""A corpus becomes a tokenizer in a folder, with what was measured in its README.md.

    weitiao.train_tokenizer("novels/", out="tokenizers/novels", kind="bpe", vocab_size=8000)

It knows the order of these steps; what each means stands in ``data.corpus`` and ``engine.tokenizer_*``. It needs no torch.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weitiao.config import TokenizerSettings
from weitiao.data.corpus import documents
from weitiao.data.ledger import ShortLedger
from weitiao.engine import tokenizer_figures, tokenizer_folder
from weitiao.engine.architectures import Tokens
from weitiao.engine.tokenizer_families import choose
from weitiao.engine.tokenizer_of_corpus import of_corpus
from weitiao.engine.tokenizer_training import least
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import atomic, nearest_folder, writing


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
        {"out", "kind", "family", "families", "vocabulary", "special_tokens", "alphabet", "corpus", "ledger", "measured_on", "tokenizers",
        "longest", "example", "seconds"}; "tokenizers" are the figures of each, the new one first; "families" have this tokenizer, "family"
        is the first of them.

    Raises:
        UsageError: an impossible setting; a family whose tokenizers are of another kind; a vocabulary too small for the characters.
        DataError: see ``data.corpus.documents``.
        RunError: ``out`` is there already.
        ModelError, NetworkError: one of ``beside`` cannot be had.
    """
    begun = time.monotonic()
    chosen = TokenizerSettings.of(settings)
    made_for = choose(chosen.kind, chosen.family)
    tokens = made_for.tokens
    if chosen.lowercase and tokens.model not in ("wordpiece", "char"):
        message = _("--lowercase is for --kind wordpiece and char; models of the kind {kind} tell capitals apart. Leave it out.")
        raise UsageError(message.format(kind=tokens.model))
    place = Path(out)
    tokenizer_folder.check_free(place)
    others = {**tokenizer_figures.packaged(), **tokenizer_figures.beside(beside)}
    given = [sources] if isinstance(sources, (str, Path)) else list(sources)
    ledger = ShortLedger()
    stream = documents(
        given,
        text_column=chosen.text_column or None,
        clean=not chosen.raw,
        ledger=ledger,
        document=chosen.document,
        encoding=chosen.encoding,
        max_bad_rows=chosen.max_bad_rows,
    )
    advice = _("Or spell fewer characters with --coverage.")
    made = of_corpus((one.text for one in stream), tokens, chosen, observer, place=nearest_folder(place), advice=advice)
    report = _report(made.tokenizer, others, made.measured)
    report = {
        "out": str(place),
        "kind": tokens.model,
        "family": made_for.family,
        "families": made_for.families,
        "lowercase": chosen.lowercase,
        "vocabulary": made.tokenizer.get_vocab_size(),
        "special_tokens": dict(tokens.special),
        "alphabet": {"characters": len(made.alphabet), "of": made.characters_seen, "needed": least(tokens, made.alphabet)},
        "corpus": {
            "sources": [str(source) for source in given],
            "documents": made.documents,
            "characters": made.characters,
            "trained_on": made.taken,
            "held_out": made.held_out,
        },
        "ledger": ledger.counts(),
        "measured_on": {"split": "held_out" if made.of_held_out else "train", "documents": len(made.measured)},
        **report,
        "seconds": round(time.monotonic() - begun, 1),
    }
    _write(place, made.tokenizer, tokens, chosen, report)
    return report


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
