"""Blank models: a small config, random weights, and a tokenizer trained on the data at hand. Everything from one seed, so that a killed
run finds the same model again. It knows architectures and texts, and no task.
"""

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from weitiao.engine.architectures import PICTURE, PREFIX, Architecture, Size, architecture
from weitiao.engine.hub import BaseModel
from weitiao.engine.model_folder import weights_sha256
from weitiao.engine.scratch import Scratch
from weitiao.engine.tokenizer_training import trained
from weitiao.images import FILE as PIXELS_FILE
from weitiao.messages import _
from weitiao.runs import write_text

_PIXELS = {
    "do_resize": True,
    "size": {"height": PICTURE, "width": PICTURE},
    "do_center_crop": False,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
_CONFIGURED = ("pad", "bos", "eos")  # roles whose ids a config holds


def make_blank(name: str, texts: Sequence[str], *, seed: int, size: Size = Size()) -> BaseModel:  # noqa: B008 - frozen
    """A blank model in a folder that goes when the process ends.

    Args:
        name: an architecture's name, "t5" or "llama".
        texts: what its tokenizer is trained on.
        seed: of the weights.
        size: how large.

    Raises:
        UsageError: no such architecture.
    """
    chosen = architecture(name)
    scratch = Scratch("weitiao-blank-", Path(tempfile.gettempdir()))
    atexit.register(scratch.close)
    place = scratch.path
    write_blank(place, chosen, texts, seed=seed, size=size)
    why = _("a small model with random weights, and a tokenizer trained on this data")
    return BaseModel(PREFIX + name, "blank", place, "", weights_sha256(place), "", why)


def write_blank(place: Path, chosen: Architecture, texts: Iterable[str], *, seed: int, size: Size) -> None:
    """Write tokenizer, config and weights into a folder, the tokenizer trained on texts."""
    write_around(place, chosen, own_tokenizer(chosen, texts, size), seed=seed, size=size)


def own_tokenizer(chosen: Architecture, texts: Iterable[str], size: Size) -> Any:
    """A transformers tokenizer of an architecture's kind, trained on texts."""
    return wrapped(chosen, trained(chosen.tokens, texts, size.vocabulary), size)


def wrapped(chosen: Architecture, tokenizer: Any, size: Size) -> Any:
    """A ``tokenizers.Tokenizer`` of an architecture's kind as one of transformers."""
    import transformers

    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=size.positions,
        model_input_names=["input_ids", *(["token_type_ids"] if chosen.tokens.types else []), "attention_mask"],
        **{f"{role}_token": token for role, token in chosen.tokens.special.items()},
    )


def write_around(place: Path, chosen: Architecture, tokenizer: Any, *, seed: int, size: Size) -> None:
    """Write a transformers tokenizer, a config for its vocabulary and random weights into a folder."""
    if chosen.pictures:
        place.mkdir(parents=True, exist_ok=True)
        write_text(place / PIXELS_FILE, json.dumps(_PIXELS, indent=2))
    write_weights(place, config_around(chosen, tokenizer, size), tokenizer, seed)


def config_around(chosen: Architecture, tokenizer: Any, size: Size) -> Any:
    """A transformers config of an architecture for a tokenizer's vocabulary."""
    import transformers

    ids = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id", None) for role in _CONFIGURED}
    own = {"vocab_size": len(tokenizer), **{name: number for name, number in ids.items() if number is not None}}
    values = chosen.config(size)
    if chosen.pictures:
        values["text_config"] |= own
    elif "eos_token_id" in own:
        own["decoder_start_token_id"] = own["pad_token_id"]
    return transformers.AutoConfig.for_model(chosen.model_type, **({} if chosen.pictures else own), **values)


def write_weights(place: Path, config: Any, tokenizer: Any, seed: int, code: Path | None = None) -> None:
    """Write a transformers config with its tokenizer, and weights that are random by ``seed``.

    Args:
        code: the folder of the network's own Python code, where it is not one of transformers'; the code is written too.
    """
    import torch

    from weitiao.engine.models import quiet

    place.mkdir(parents=True, exist_ok=True)
    generator = torch.random.get_rng_state()
    torch.manual_seed(seed)
    network = _network(config, code)
    torch.random.set_rng_state(generator)
    with quiet():
        network.save_pretrained(place)
        tokenizer.save_pretrained(place)
    if code is not None:
        copy_code(code, place)


def copy_code(folder: Path, place: Path) -> None:
    """Copy the Python files of a model's folder that are not there yet: transformers saves those of the class alone that it saves."""
    for file in folder.glob("*.py"):
        if not (place / file.name).exists():
            shutil.copyfile(file, place / file.name)


def _network(config: Any, code: Path | None) -> Any:
    """A network with random weights: the base alone, or of code of its own the first class that it names."""
    import transformers
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    mapped = getattr(config, "auto_map", None) or {}
    named = next((name for name in ("AutoModel", *mapped) if name in mapped and name.startswith("AutoModel")), "")
    if code is None or not named:
        return transformers.AutoModel.from_config(config, trust_remote_code=False)
    # Not by from_config: it would ask the hub for code of another repository, whether that is on this machine or not.
    kind: Any = get_class_from_dynamic_module(mapped[named], str(code), local_files_only=True)
    kind.register_for_auto_class(named)
    return kind._from_config(config)
