"""A model's parameters by block (embeddings, layers, pooler, head), read from the headers of its safetensors files. No weights are loaded.

Blocks are told by the names that transformers gives its tensors: a number behind "layer", "layers", "block" or "h" counts a layer. It knows
no architecture in particular and no torch.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weitiao.engine.memory import LORA_RANK, Sizes
from weitiao.engine.model_folder import ADAPTER, CLASSIFIER, LAYERS_FILE, read_header, weight_files
from weitiao.messages import N_

_LAYER = re.compile(r"(?:^|\.)(?P<stack>(?:\w+\.)*?)(?:layers?|blocks?|h|albert_layer_groups)\.(?P<number>\d+)\.")
_EMBEDDINGS = re.compile(r"embed|^(.*\.)?(shared|wte|wpe|lang_emb)\.")
_HEADS = re.compile(
    r"^decoder\.(weight|bias)$|(^|\.)(cls|lm_head|classifier|qa_outputs|score|classification_head|vocab_\w+|pre_classifier|head|\w*predictions|logits_proj|"
    r"final_logits_bias|summary|sequence_summary|visual_projection|text_projection|logit_scale|logit_bias)(\.|$)"
)
# Stored beside the weights, but counted and not learned: numbers of positions, causal masks.
_NOT_LEARNED = re.compile(r"(position_ids|\.attn\.(masked_)?bias|inv_freq|num_batches_tracked)$")

TITLES = {
    "embeddings": N_("embeddings: a vector for each token and position"),
    "vision layers": N_("picture encoder"),
    "text layers": N_("text encoder"),
    "encoder layers": N_("encoder"),
    "decoder layers": N_("decoder"),
    "layers": N_("layers: attention and feed-forward"),
    "pooler": N_("pooler: one vector of the whole text"),
    "head": N_("head: the answer"),
    "adapter": N_("adapter: the changes to the base model"),
    "rest": N_("norms between the blocks"),
}
_BESIDE = (CLASSIFIER, LAYERS_FILE)  # heads in files of their own


@dataclass
class Block:
    """A part of a model.

    Attributes:
        name: a key of ``TITLES``.
        parameters: how many numbers it has learned.
        layers: how many layers it is made of; 0 where it is none.
    """

    name: str
    parameters: int = 0
    layers: int = 0
    numbers: set[str] = field(default_factory=set, repr=False)


@dataclass(frozen=True)
class Weights:
    """What the weight files of a folder hold.

    Attributes:
        blocks: in the order in which a text passes them.
        sizes: parameters by how memory is reckoned.
        formats: number format as the files name it ("F32", "BF16") -> parameters.
        tensors: name -> shape.
    """

    blocks: list[Block]
    sizes: Sizes
    formats: dict[str, int]
    tensors: Mapping[str, tuple[int, ...]] = field(repr=False)

    def has_matrix_of(self, vocabulary: int) -> bool:
        """Whether there is a matrix from hidden states to a vocabulary of that size, outside the embeddings."""
        return any(len(shape) == 2 and shape[0] == vocabulary and block_of(name) == "head" for name, shape in self.tensors.items())


def block_of(name: str) -> str:
    """The block that a tensor belongs to.

    >>> [block_of(name) for name in ("bert.encoder.layer.3.output.dense.weight", "bert.pooler.dense.bias", "model.embed_tokens.weight")]
    ['encoder layers', 'pooler', 'embeddings']
    >>> block_of("transformer.h.0.attn.c_attn.weight"), block_of("lm_head.weight"), block_of("model.norm.weight")
    ('layers', 'head', 'rest')
    """
    if "lora_" in name:
        return "adapter"
    if found := _LAYER.search(name):
        return _stack(found["stack"])
    if _EMBEDDINGS.search(name):
        return "embeddings"
    if "pooler" in name:
        return "pooler"
    return "head" if _HEADS.search(name) else "rest"


def read_weights(folder: Path, *, where: str = "") -> Weights:
    """What a folder's weight files hold: the model's, or the adapter's where it has only that; and the head beside them.

    Raises:
        ModelError: one is damaged or missing.
    """
    where = where or folder.name
    names = [ADAPTER] if (folder / ADAPTER).is_file() else weight_files(folder, where=where)
    names += [file for file in _BESIDE if (folder / file).is_file()]
    blocks = {name: Block(name) for name in TITLES}
    formats: dict[str, int] = {}
    tensors: dict[str, tuple[int, ...]] = {}
    linear = adapter = 0
    for file in names:
        learned = {name: entry for name, entry in read_header(folder / file, where).items() if not _NOT_LEARNED.search(name)}
        for name, entry in learned.items():
            shape = tuple(entry["shape"])
            count = _parameters(entry)
            block = blocks["head" if file in _BESIDE else block_of(name)]
            block.parameters += count
            formats[entry["dtype"]] = formats.get(entry["dtype"], 0) + count
            tensors[name] = shape
            if file not in _BESIDE and (found := _LAYER.search(name)):
                block.numbers.add(found["stack"] + found["number"])
                if len(shape) == 2 and "lora_" not in name and not _EMBEDDINGS.search(name):
                    linear += count
                    adapter += LORA_RANK * sum(shape)
    for block in blocks.values():
        block.layers = len(block.numbers) if block.name != "adapter" else 0
    kept = [block for block in blocks.values() if block.parameters]
    return Weights(kept, Sizes(sum(block.parameters for block in kept), linear, adapter), formats, tensors)


def _stack(prefix: str) -> str:
    """ "vision layers" and so on, from the names of the modules around a list of layers."""
    for part, title in (("vision", "vision layers"), ("visual", "vision layers"), ("text_model", "text layers")):
        if part in prefix:
            return title
    for part in ("encoder", "decoder"):
        if f"{part}." in prefix:
            return f"{part} layers"
    return "layers"


def _parameters(entry: Mapping[str, Any]) -> int:
    """The numbers of a tensor; two of four bits share a byte of bitsandbytes' files."""
    return math.prod(entry["shape"]) * (2 if entry["dtype"] == "U8" else 1)
