"""How a model makes one vector of a text: read from what stands beside its weights, and written there again. It knows the layout of
sentence-transformers folders as plain JSON, and no library.
"""

from collections.abc import Mapping
from typing import Any

from weitiao.errors import ModelError
from weitiao.messages import _

POOLINGS = ("mean", "cls", "last")
AUTO = "auto"
_NAMES = {"mean": "mean", "cls": "cls", "lasttoken": "last"}  # theirs -> ours
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
}
_READ = ("Transformer", "Pooling", "Normalize")  # modules of a sentence-transformers model that are understood
_DECODERS = ("gpt", "llama", "qwen", "mistral", "gemma", "phi", "opt", "bloom", "falcon", "olmo", "smollm", "internlm", "baichuan")


def pooling_of(model_config: Mapping[str, Any], pooling: str = AUTO, normalise: str = AUTO) -> dict[str, Any]:
    """What the contrastive objective must know of a model.

    >>> pooling_of({"model_type": "bert"}), pooling_of({"model_type": "qwen3"})["pooling"]
    ({'pooling': 'mean', 'normalise': True}, 'last')
    >>> made = {"sentence_modules": ["Transformer", "Pooling"], "sentence_pooling": {"pooling_mode": "cls"}, "sentence_length": 128}
    >>> pooling_of(made), pooling_of(made, "mean", "yes")["normalise"]
    ({'pooling': 'cls', 'normalise': False, 'longest': 128}, True)

    Args:
        model_config: config.json, with what ``engine.pretrained.read_config`` found beside it: "sentence_modules" (names of the steps),
            "sentence_pooling" (1_Pooling/config.json), "sentence_length" (tokens).
        pooling: "mean", "cls", "last", or "auto" for what the model was made with; a decoder's last token has seen all, and others' mean.
        normalise: "yes", "no", or "auto" for what the model was made with; "yes" where nobody knows.

    Returns:
        {"pooling", "normalise"} and, where the model was made for texts of a certain length, "longest" in tokens.

    Raises:
        ModelError: the model makes its vectors in a way that is not understood: they would be others than its makers'.
    """
    modules = model_config.get("sentence_modules") or []
    made = model_config.get("sentence_pooling")
    strange = [name for name in modules if name not in _READ]
    if strange:
        message = _("This model makes its vectors with a step that weitiao does not know ({step}). Choose another --model.")
        raise ModelError(message.format(step=_(", ").join(strange)))
    if pooling == AUTO:
        pooling = _made(made) if made else "last" if _is_decoder(model_config) else "mean"
    normalised = "Normalize" in modules if normalise == AUTO and modules else normalise != "no"
    length = model_config.get("sentence_length")
    return {"pooling": pooling, "normalise": normalised} | ({"longest": int(length)} if length else {})


def pooling_files(spec: Mapping[str, Any], width: int, longest: int) -> dict[str, Any]:
    """The files by which sentence-transformers makes the same vectors, by path in the model's folder.

    Args:
        spec: {"pooling", "normalise"}.
        width: numbers in a vector.
        longest: tokens of a text.
    """
    theirs = {ours: name for name, ours in _NAMES.items()}[spec.get("pooling", "mean")]
    steps = [("", "Transformer"), ("1_Pooling", "Pooling")] + ([("2_Normalize", "Normalize")] if spec.get("normalise", True) else [])
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"} for at, (path, kind) in enumerate(steps)
    ]
    files: dict[str, Any] = {
        "modules.json": modules,
        "1_Pooling/config.json": {"word_embedding_dimension": width, **{flag: name == theirs for flag, name in _FLAGS.items()}},
        "sentence_bert_config.json": {"max_seq_length": longest, "do_lower_case": False},
    }
    return files | ({"2_Normalize/config.json": {}} if len(steps) == 3 else {})


def _made(pooling: Mapping[str, Any]) -> str:
    """Our name of the pooling that a model was made with."""
    given = pooling.get("pooling_mode") or [name for flag, name in _FLAGS.items() if pooling.get(flag)]
    names = [given] if isinstance(given, str) else list(given)
    if len(names) != 1 or names[0] not in _NAMES:
        message = _("This model pools its vectors by {given}; weitiao knows {known}. Say --pooling, or choose another --model.")
        raise ModelError(message.format(given=" + ".join(names) or "?", known=_(", ").join(POOLINGS)))
    return _NAMES[names[0]]


def _is_decoder(model_config: Mapping[str, Any]) -> bool:
    architectures = " ".join(model_config.get("architectures") or [])
    family = str(model_config.get("model_type", ""))
    return bool(model_config.get("is_decoder")) or "CausalLM" in architectures or family.startswith(_DECODERS)
