"""Architectures that can start blank: a small config and the kind of tokenizer each was made for. A table; builds nothing.

Sizes are those of a model that learns a few hundred examples by heart on a laptop in minutes, not of one that has read the world.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weitiao.config import nearest
from weitiao.errors import UsageError
from weitiao.messages import _

PREFIX = "blank:"  # before an architecture's name, where --model takes one
PICTURE = 64  # pixels on each side of what a blank model sees


@dataclass(frozen=True)
class Size:
    """How large a blank model is.

    Attributes:
        width: of the hidden states.
        layers: of the encoder, and as many of the decoder where there are both.
        heads: of the attention.
        positions: longest text in tokens.
        vocabulary: most entries of the tokenizer.
    """

    width: int = 256
    layers: int = 4
    heads: int = 4
    positions: int = 1024
    vocabulary: int = 8000


# Sizes by name, as Turc et al. (2019) call them; a head is 64 wide.
SIZES = {
    "tiny": Size(128, 2, 2, 512),
    "mini": Size(256, 4, 4, 512),
    "small": Size(512, 4, 8, 512),
    "medium": Size(512, 8, 8, 512),
    "base": Size(768, 12, 12, 512),
}
HEAD = 64  # width of an attention head, where a size is given as LAYERSxWIDTH


def size_named(name: str) -> Size:
    """A size by its name, or as LAYERSxWIDTH.

    >>> size_named("mini").width, size_named("6x384").heads
    (256, 6)

    Raises:
        UsageError: it is neither.
    """
    if name in SIZES:
        return SIZES[name]
    layers, _x, width = name.partition("x")
    if layers.isdigit() and width.isdigit() and int(layers) and int(width) >= HEAD and int(width) % HEAD == 0:
        return Size(int(width), int(layers), int(width) // HEAD, 512)
    message = _('There is no size "{name}"; there are: {names}, or LAYERSxWIDTH such as 6x384, the width a multiple of {head}.')
    raise UsageError(message.format(name=name, names=_(", ").join(SIZES), head=HEAD) + nearest(name, list(SIZES)))


@dataclass(frozen=True)
class Tokens:
    """A kind of tokenizer.

    Attributes:
        model: "wordpiece", "byte-bpe", "bpe" (over characters, what is rare in bytes), "unigram" or "char".
        special: role -> token, in the order of their ids from 0.
        single, pair: templates of ``tokenizers.processors``; "" where nothing is added.
        types: whether the model reads token types.
        sentinels: tokens <extra_id_0>, ... that stand for what is left out of a text; <extra_id_0> has the last id, as T5 has it.
    """

    model: str
    special: dict[str, str]
    single: str
    pair: str
    types: bool = False
    sentinels: int = 0


_BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
_ROBERTA = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>", "cls": "<s>", "sep": "</s>"}
_T5 = {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"}
_DECODER = {"pad": "<pad>", "bos": "<s>", "eos": "</s>", "unk": "<unk>"}

WORDPIECE = Tokens("wordpiece", _BERT, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", types=True)
PLAIN_WORDPIECE = Tokens("wordpiece", _BERT, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]")
BERT_BPE = Tokens("byte-bpe", _BERT, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]")
BERT_UNIGRAM = Tokens("unigram", _BERT, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", types=True)
ROBERTA_BPE = Tokens("byte-bpe", _ROBERTA, "<s> $A </s>", "<s> $A </s> </s> $B </s>")
ROBERTA_UNIGRAM = Tokens("unigram", _ROBERTA, "<s> $A </s>", "<s> $A </s> </s> $B </s>")
ENDED_UNIGRAM = Tokens("unigram", _T5, "$A </s>", "$A </s> $B </s>")
MASKED_UNIGRAM = Tokens("unigram", {**_T5, "mask": "<mask>"}, "$A </s>", "$A </s> $B </s>")
SENTINEL_UNIGRAM = Tokens("unigram", _T5, "$A </s>", "$A </s> $B </s>", sentinels=100)
LLAMA_BPE = Tokens("bpe", {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "pad": "<pad>"}, "<s> $A", "<s> $A $B")
CHARACTERS = Tokens("char", _BERT, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", types=True)
DECODER_BPE = Tokens("byte-bpe", _DECODER, "<s> $A", "<s> $A $B")


@dataclass(frozen=True)
class Architecture:
    """One entry: transformers' ``model_type``, its tokenizer, its config's values for a size, and whether it reads pictures too."""

    model_type: str
    tokens: Tokens
    config: Callable[[Size], dict[str, Any]]
    pictures: bool = False


def _encoder(size: Size, **more: Any) -> dict[str, Any]:
    return {
        "hidden_size": size.width,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": 4 * size.width,
        "max_position_embeddings": size.positions,
        **more,
    }


def _roberta(size: Size) -> dict[str, Any]:
    # Positions are counted from behind the padding's id, 1.
    return _encoder(size, max_position_embeddings=size.positions + 2, type_vocab_size=1)


def _distilbert(size: Size) -> dict[str, Any]:
    return {
        "dim": size.width,
        "n_layers": size.layers,
        "n_heads": size.heads,
        "hidden_dim": 4 * size.width,
        "max_position_embeddings": size.positions,
    }


def _modernbert(size: Size) -> dict[str, Any]:
    return _encoder(size, intermediate_size=2 * size.width, global_attn_every_n_layers=2)


def _decoder(size: Size) -> dict[str, Any]:
    return _encoder(size, intermediate_size=2 * size.width, num_key_value_heads=max(1, size.heads // 2), head_dim=size.width // size.heads)


def _gpt2(size: Size) -> dict[str, Any]:
    return {"n_embd": size.width, "n_layer": size.layers, "n_head": size.heads, "n_positions": size.positions}


def _t5(size: Size) -> dict[str, Any]:
    return {
        "d_model": size.width,
        "d_kv": size.width // size.heads,
        "d_ff": 2 * size.width,
        "num_layers": size.layers,
        "num_heads": size.heads,
        "feed_forward_proj": "gated-gelu",
    }


def _bart(size: Size) -> dict[str, Any]:
    both = {f"{part}_{name}": value for part in ("encoder", "decoder") for name, value in _half(size).items()}
    return {"d_model": size.width, "max_position_embeddings": size.positions, **both}


def _half(size: Size) -> dict[str, Any]:
    return {"layers": size.layers, "attention_heads": size.heads, "ffn_dim": 4 * size.width}


def _clip(size: Size) -> dict[str, Any]:
    half = {"hidden_size": size.width, "intermediate_size": 4 * size.width, "num_attention_heads": size.heads}
    text = {**half, "num_hidden_layers": size.layers, "max_position_embeddings": size.positions}
    return {
        "text_config": text,
        "vision_config": {**half, "num_hidden_layers": size.layers, "image_size": PICTURE, "patch_size": PICTURE // 8},
        "projection_dim": size.width,
    }


ARCHITECTURES = {
    "bert": Architecture("bert", WORDPIECE, _encoder),
    "roberta": Architecture("roberta", ROBERTA_BPE, _roberta),
    "electra": Architecture("electra", WORDPIECE, lambda size: _encoder(size, embedding_size=size.width)),
    "albert": Architecture("albert", BERT_UNIGRAM, lambda size: _encoder(size, embedding_size=size.width // 2)),
    "distilbert": Architecture("distilbert", PLAIN_WORDPIECE, _distilbert),
    "deberta-v2": Architecture("deberta-v2", PLAIN_WORDPIECE, lambda size: _encoder(size, type_vocab_size=0, relative_attention=True)),
    "modernbert": Architecture("modernbert", BERT_BPE, _modernbert),
    "xlm-roberta": Architecture("xlm-roberta", ROBERTA_UNIGRAM, _roberta),
    "t5": Architecture("t5", ENDED_UNIGRAM, _t5),
    "mt5": Architecture("mt5", ENDED_UNIGRAM, _t5),
    "bart": Architecture("bart", ROBERTA_BPE, _bart),
    "mbart": Architecture("mbart", MASKED_UNIGRAM, _bart),
    "marian": Architecture("marian", ENDED_UNIGRAM, _bart),
    "gpt2": Architecture("gpt2", DECODER_BPE, _gpt2),
    "llama": Architecture("llama", DECODER_BPE, _decoder),
    "mistral": Architecture("mistral", DECODER_BPE, _decoder),
    "qwen2": Architecture("qwen2", DECODER_BPE, _decoder),
    "qwen3": Architecture("qwen3", DECODER_BPE, _decoder),
    "gemma": Architecture("gemma", DECODER_BPE, _decoder),
    "clip": Architecture("clip", ROBERTA_BPE, _clip, pictures=True),
}
ALIASES = {"qwen": "qwen3", "xlm-r": "xlm-roberta", "deberta": "deberta-v2"}


def refuse_blank(name: str, task: str = "") -> None:
    """Raises UsageError where a blank model is named and one that has learned something is wanted.

    Args:
        name: of any model.
        task: what it is wanted for, "" where nobody knows.
    """
    if name.startswith(PREFIX):
        message = _(
            "{name} is only for training: it is made when one begins, with random weights. Type: weitiao train DATA {flags}, and then use "
            "the run."
        )
        flags = f"--task {task} --model {name}" if task else f"--model {name}"
        raise UsageError(message.format(name=name, flags=flags))


def architecture(name: str) -> Architecture:
    """The entry of that name. Raises UsageError, naming the nearest, where there is none."""
    wanted = ALIASES.get(name.lower(), name.lower())
    if wanted not in ARCHITECTURES:
        message = _('There is no blank architecture "{name}"; there are: {names}.').format(name=name, names=_(", ").join(ARCHITECTURES))
        raise UsageError(message + nearest(wanted, list(ARCHITECTURES)))
    return ARCHITECTURES[wanted]
