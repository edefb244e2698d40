"""What a task's head asks of a base model: transformers' Auto classes, the kind of model behind each, and whether a model was made for one.

Tables of names. It knows no task, no weights, and of a model its config alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from weitiao.messages import N_

Kind = Literal["encoder", "encoder-decoder", "decoder", "dual"]

# What a config's architecture ends with for an Auto class, where that is not the class's own name without "AutoModel".
ENDINGS = {
    "AutoModel": ("Model",),
    "AutoModelForCausalLM": ("ForCausalLM", "LMHeadModel"),
    "AutoModelForMaskedLM": ("ForMaskedLM", "ForPreTraining", "WithLMHeadModel"),
    "AutoModelForSeq2SeqLM": ("ForConditionalGeneration", "MarianMTModel"),
}
# Heads that need another kind of model than an encoder. An encoder has every other one.
_KINDS: dict[str, Kind] = {"AutoModelForCausalLM": "decoder", "AutoModelForSeq2SeqLM": "encoder-decoder", "DualEncoder": "dual"}
# Families whose config alone does not say that they write.
_DECODERS = frozenset({"gpt2", "gpt_neox", "opt", "bloom", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi", "phi3"})

KINDS: dict[Kind, str] = {
    "encoder": N_("Encoders: they read a text whole, and a small head on top answers"),
    "encoder-decoder": N_("Encoder-decoders: they read one text and write another"),
    "decoder": N_("Decoders: they go on writing a text, one token after the other"),
    "dual": N_("Dual encoders: they put pictures and texts into one space"),
}
# The architecture that starts blank in the place of each kind; an encoder has the packaged base as well.
BLANKS: dict[Kind, str] = {"encoder": "bert", "encoder-decoder": "t5", "decoder": "llama", "dual": "clip"}


def kind_of(classes: Sequence[str]) -> Kind:
    """The kind of base model that a head with these Auto classes stands on; without any, an encoder.

    >>> kind_of(("AutoModelForSequenceClassification",)), kind_of(("AutoModelForCausalLM",))
    ('encoder', 'decoder')
    """
    return next((_KINDS[name] for name in classes if name in _KINDS), "encoder")


def kind_of_config(config: Mapping[str, Any]) -> Kind:
    """The kind of a model, from its config.json.

    >>> kind_of_config({"architectures": ["BartModel"], "is_encoder_decoder": True}), kind_of_config({"model_type": "llama"})
    ('encoder-decoder', 'decoder')
    """
    architectures = [str(name) for name in config.get("architectures") or ()]
    if "vision_config" in config or any(name.endswith(("CLIPModel", "SiglipModel", "Siglip2Model")) for name in architectures):
        return "dual"
    if config.get("is_encoder_decoder") or any(made_for(name, ["AutoModelForSeq2SeqLM"]) for name in architectures):
        return "encoder-decoder"
    written = config.get("model_type") in _DECODERS or any(made_for(name, ["AutoModelForCausalLM"]) for name in architectures)
    return "decoder" if written else "encoder"


def made_for(architecture: str, classes: Sequence[str]) -> bool:
    """Whether a model with this architecture in its config has trained weights for a head of one of these classes.

    >>> made_for("BertForMaskedLM", ("AutoModelForMaskedLM",)), made_for("GPT2LMHeadModel", ("AutoModel",))
    (True, False)
    """
    # A class itself, in a task file of somebody's own, is nobody's by name.
    return any(_ends_as(architecture, wanted) for wanted in classes if isinstance(wanted, str))


def _ends_as(architecture: str, wanted: str) -> bool:
    if wanted == "AutoModel" and architecture.endswith(("LMHeadModel", "MTModel")):
        return False
    if architecture.startswith("Electra") and architecture.endswith("ForPreTraining"):
        return False  # it tells real words from replaced ones, and knows no masked ones
    return architecture.endswith(ENDINGS.get(wanted, (wanted.removeprefix("AutoModel"),)))
