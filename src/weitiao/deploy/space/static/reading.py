"""Which tokenizers the page's own JavaScript reads exactly as the library tokenizers does: a table of kinds, tested against it text by
text. It knows tokenizer.json; no task.
"""

from collections.abc import Mapping
from typing import Any

from weitiao.messages import _

# By the part of tokenizer.json; page/characters.js and page/tokenizer.js do them.
_KINDS = {
    "normalizer": {"BertNormalizer", "Lowercase", "Sequence"},
    "pre_tokenizer": {"BertPreTokenizer", "WhitespaceSplit", "ByteLevel", "Sequence"},
    "model": {"WordPiece", "WordLevel", "BPE"},
    "post_processor": {"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"},
}
_INNER = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors"}


def unread(tokenizer: Mapping[str, Any]) -> str:
    """Why a tokenizer is not read in the browser, "" where it is.

    >>> unread({"normalizer": {"type": "Precompiled"}, "model": {"type": "Unigram"}})
    'its tokenizer has a normalizer of the kind Precompiled, which the page does not read exactly'

    Args:
        tokenizer: the content of tokenizer.json.
    """
    for part, known in _KINDS.items():
        strange = [kind for kind in _kinds(tokenizer.get(part), _INNER.get(part, "")) if kind not in known]
        if strange:
            message = _("its tokenizer has a {part} of the kind {kind}, which the page does not read exactly")
            return message.format(part=part, kind=strange[0])
    model = tokenizer.get("model") or {}
    if model.get("type") == "BPE" and not _byte_level(tokenizer, model):
        return _("its tokenizer joins pieces of words in a way that the page does not read exactly")
    return ""


def _kinds(settings: Mapping[str, Any] | None, inner: str) -> list[str]:
    if not settings:
        return []
    kind = str(settings.get("type"))
    return [kind, *(found for one in settings.get(inner) or () for found in _kinds(one, inner))]


def _byte_level(tokenizer: Mapping[str, Any], model: Mapping[str, Any]) -> bool:
    """Whether all of a text is in the vocabulary, as bytes: nothing is unknown, dropped at random or marked at its end."""
    from tokenizers.pre_tokenizers import ByteLevel

    strange = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback")
    whole = set(ByteLevel.alphabet()) <= (model.get("vocab") or {}).keys()
    return whole and "ByteLevel" in _kinds(tokenizer.get("pre_tokenizer"), "pretokenizers") and not any(map(model.get, strange))
