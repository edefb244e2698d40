"""Blank models: a small config, random weights, and a tokenizer trained on the data at hand. Everything from one seed, so that a killed
run finds the same model again. It knows architectures and texts, and no task.
"""

import atexit
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from weitiao.engine.architectures import PICTURE, PREFIX, Architecture, Size, architecture
from weitiao.engine.hub import BaseModel
from weitiao.engine.model_folder import weights_sha256
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
    place = Path(tempfile.mkdtemp(prefix="weitiao-blank-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    write_blank(place, chosen, texts, seed=seed, size=size)
    why = _("a small model with random weights, and a tokenizer trained on this data")
    return BaseModel(PREFIX + name, "blank", place, "", weights_sha256(place), "", why)


def write_blank(place: Path, chosen: Architecture, texts: Sequence[str], *, seed: int, size: Size) -> None:
    """Write tokenizer, config and weights into a folder."""
    import torch
    import transformers

    place.mkdir(parents=True, exist_ok=True)
    tokenizer = trained(chosen.tokens, texts, size.vocabulary)
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=size.positions,
        model_input_names=["input_ids", *(["token_type_ids"] if chosen.tokens.types else []), "attention_mask"],
        **{f"{role}_token": token for role, token in chosen.tokens.special.items()},
    )
    ids = {f"{role}_token_id": wrapped.convert_tokens_to_ids(token) for role, token in chosen.tokens.special.items()}
    values = chosen.config(size)
    own = {"vocab_size": len(wrapped), **{name: number for name, number in ids.items() if name.split("_")[0] in _CONFIGURED}}
    if chosen.pictures:
        values["text_config"] |= own
        write_text(place / PIXELS_FILE, json.dumps(_PIXELS, indent=2))
    elif "eos_token_id" in ids:
        own["decoder_start_token_id"] = ids["pad_token_id"]
    config = transformers.AutoConfig.for_model(chosen.model_type, **({} if chosen.pictures else own), **values)
    generator = torch.random.get_rng_state()
    torch.manual_seed(seed)
    network = transformers.AutoModel.from_config(config)
    torch.random.set_rng_state(generator)
    network.save_pretrained(place)
    wrapped.save_pretrained(place)
