"""Writes a run's model for CTranslate2, by its own converter for transformers models, and says what that converter would get wrong. It
knows transformers' configs; it judges no answers.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weitiao.deploy.generation import habits, options
from weitiao.deploy.torch_free import write_beside
from weitiao.deploy.writing import vocabulary
from weitiao.errors import ModelError, UsageError
from weitiao.messages import N_, _
from weitiao.processing import FastProcessor
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

_SWISH = {"hidden_act": "silu"}
_WHOLE = {"use_sliding_window": False}  # the converter would let every layer see all of the text
_PLAIN_CAPS = {"attn_logit_softcapping": None, "final_logit_softcapping": None}
# Families that can be had, by transformers' model_type, with what the converter takes for granted: where the config says anything else it
# makes another model of it, without a word.
FAMILIES: dict[str, dict[str, Any]] = {
    "t5": {},
    "mt5": {},
    "gpt2": {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False},
    "llama": _SWISH,
    "qwen2": {**_SWISH, **_WHOLE},
    "qwen3": {**_SWISH, **_WHOLE},
    "gemma": {},
    "gemma3_text": _PLAIN_CAPS,
}
_NORMALIZE = N_("ctranslate2's converter reads a setting that transformers no longer has, normalize_before.")
# Why others cannot, where there is more to say than that nobody has tried them here.
REASONS = {
    "bart": _NORMALIZE,
    "mbart": _NORMALIZE,
    "gemma2": N_("ctranslate2 has nothing for its soft caps, so it would answer otherwise."),
}
QUANTISED = (
    "int8_float32"  # weights in 8 bits with a scale an output, and for what goes into a product a scale a token; the rest in 32 bits
)


def check_writes(task: Task) -> None:
    """Raises ModelError for a task whose models answer in one pass."""
    if task.answers_by != "generate":
        message = _('CTranslate2 is for models that write, and {task} is answered in one pass. Export it with "--to onnx".')
        raise ModelError(message.format(task=task.name))


def write(traced: "Predictor", made: RunFolder, seed: int, *, quantised: bool = False) -> dict[str, Any]:
    """Write the model folder of an export that CTranslate2 computes.

    Args:
        traced: the run's predictor with a torch backend and one plain model.
        made: the export's folder.
        seed: that answers are drawn from, where they are drawn.
        quantised: with weights in 8 bits.

    Returns:
        What ``runtime.open_export`` must know of it, plain JSON.

    Raises:
        ModelError: this family, this config or this way of writing cannot be had; the message says which and why.
    """
    loaded: Any = traced.backend.loaded  # type: ignore[attr-defined]
    network, config = loaded.network, loaded.network.config
    check_config(config, traced)
    two_parts, own = bool(config.is_encoder_decoder), habits(network.generation_config.to_dict())
    try:
        options({**own, **traced.task.generation(traced.spec)}, two_parts=two_parts)
    except UsageError as error:
        raise ModelError(error.message + " " + _('Export it with "--to merged".')) from error
    facts = write_beside(traced, made)
    shutil.rmtree(made.ctranslate2, ignore_errors=True)
    with tempfile.TemporaryDirectory() as place:
        _save(traced, Path(place))
        _convert(Path(place), made.ctranslate2, QUANTISED if quantised else None)
    _check_vocabulary(vocabulary(made.ctranslate2), traced.processor, config.vocab_size)
    more = {"two_parts": two_parts, "positions": None if two_parts else _positions(config), "generation": own, "seed": seed}
    return {"reader": "ctranslate2", **facts, **more, "precision": "int8" if quantised else "fp32"}


def check_config(config: Any, traced: "Predictor") -> None:
    """Raises ModelError for a family that is not converted, a config of which the converter would make another model, or a loss of
    somebody's own.
    """
    family = config.model_type
    if family not in FAMILIES:
        why = _(REASONS[family]) if family in REASONS else _("its conversion is not checked here.")
        message = _('{family} models are not exported for CTranslate2: {why} There are: {families}. Export it with "--to merged".')
        raise ModelError(message.format(family=family, why=why, families=_(", ").join(FAMILIES)))
    from weitiao.engine.objectives.language import CausalLM, Seq2SeqLM

    if type(traced.backend.objective).loss not in (CausalLM.loss, Seq2SeqLM.loss):  # type: ignore[attr-defined]
        message = _('The objective {name} has a loss of its own, which an export without torch cannot tell. Export it with "--to merged".')
        raise ModelError(message.format(name=type(traced.backend.objective).__name__))  # type: ignore[attr-defined]
    for name, value in _unlike(config, traced):
        message = _('ctranslate2 does not compute {family} as it is where {name} is {value}. Export it with "--to merged".')
        raise ModelError(message.format(family=family, name=name, value=value))


def _unlike(config: Any, traced: "Predictor") -> Iterator[tuple[str, Any]]:
    """Settings of a config that the converter passes over."""
    for name, value in FAMILIES[config.model_type].items():
        if getattr(config, name, value) != value:
            yield name, getattr(config, name)
    width = getattr(config, "head_dim", None)
    if config.model_type in ("llama", "qwen2") and width and width != config.hidden_size // config.num_attention_heads:
        yield "head_dim", width
    if getattr(config, "query_pre_attn_scalar", width) != width:
        yield "query_pre_attn_scalar", config.query_pre_attn_scalar
    seen, longest = _window(config), traced.max_length + traced.task.generation(traced.spec).get("max_new_tokens", 0)
    if seen and longest > seen:
        yield "sliding_window", f"{seen} < {longest}"


def _window(config: Any) -> int | None:
    """How many tokens the layers see that do not see all of a text, which CTranslate2 gets wrong once there are more; None without such."""
    return config.sliding_window if "sliding_attention" in (getattr(config, "layer_types", None) or ()) else None


def _positions(config: Any) -> int:
    """Most tokens that are read and written together."""
    found: int = config.max_position_embeddings
    return min(found, _window(config) or found)


def _save(traced: "Predictor", place: Path) -> None:
    from weitiao.engine.finished import save_finished

    save_finished(traced.task, traced.spec, traced.backend.loaded, place, traced.max_length)  # type: ignore[attr-defined]


def _convert(source: Path, out: Path, quantisation: str | None) -> None:
    """A transformers folder becomes CTranslate2's. Raises ModelError where the converter gives up."""
    from ctranslate2.converters import TransformersConverter

    from weitiao.engine.models import quiet

    class Converter(TransformersConverter):
        """Tells the converter what transformers 5 calls otherwise, and the model what the converter leaves out."""

        config: Any

        def load_model(self, *given: Any, **named: Any) -> Any:
            network = super().load_model(*given, **named)
            self.config = network.config
            for name, value in _old_names(network.config).items():
                setattr(network.config, name, value)
            return network

        def _load(self) -> Any:
            spec = super()._load()
            epsilon = getattr(self.config, "layer_norm_epsilon", None)
            if epsilon is not None:
                spec.config.layer_norm_epsilon = epsilon
            rope = getattr(self.config, "rope_parameters", None) or {}
            if rope.get("rope_type") == "llama3":
                for layer in spec.decoder.layer:
                    # Past the spec's own list of names: CTranslate2 reads these two, and its converter writes neither.
                    vars(layer.self_attention)["rotary_scaling_factor"] = np.float32(rope["factor"])
                    vars(layer.self_attention)["original_max_position_embeddings"] = np.int32(rope["original_max_position_embeddings"])
            return spec

    try:
        with quiet():
            Converter(str(source)).convert(str(out), quantization=quantisation)
    except Exception as error:  # whatever the converter does not know
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        message = _('ctranslate2 cannot convert this model: {reason}. Export it with "--to merged".')
        raise ModelError(message.format(reason=reason.rstrip("."))) from error


def _old_names(config: Any) -> dict[str, Any]:
    """What a config says, under the names that transformers had for it before version 5.

    Without them the converter would go by its defaults and say nothing: another base of the rotary positions, an mT5 whose outputs are
    scaled although it was trained without.
    """
    names: dict[str, Any] = {}
    if config.model_type in ("t5", "mt5"):
        # They are tied in any case; this is how the converter asks for the other.
        names["tie_word_embeddings"] = getattr(config, "scale_decoder_outputs", False)
    rope: Mapping[str, Any] = getattr(config, "rope_parameters", None) or {}
    if "rope_theta" in rope:
        names["rope_theta"] = rope["rope_theta"]
    if "full_attention" in rope:
        names |= {"rope_theta": rope["full_attention"]["rope_theta"], "rope_local_base_freq": rope["sliding_attention"]["rope_theta"]}
    return names


def _check_vocabulary(tokens: list[str], processor: Any, size: int) -> None:
    """Raises ModelError where a token has another id there than in the tokenizer: the converter numbers them in their order."""
    assert isinstance(processor, FastProcessor)  # else ``write_beside`` has refused it
    spelled = [processor.tokenizer.id_to_token(number) for number in range(min(size, processor.vocabulary))]
    if len(tokens) != size or tokens[: len(spelled)] != spelled:
        message = _(
            "CTranslate2 numbers the tokens one after the other, and this tokenizer leaves numbers out or has other ones than the model. "
            'Export it with "--to merged".'
        )
        raise ModelError(message)
