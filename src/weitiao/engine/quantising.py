"""A base model's weights in 4 or 8 bits, through bitsandbytes: what loading needs to be told, and who cannot do it. It knows no adapter."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import torch

from weitiao.engine.devices import Machine
from weitiao.errors import ResourceError, UsageError
from weitiao.messages import _

DEVICES = ("cpu", "cuda")  # where bitsandbytes computes forward and backward


def quantised(bits: int, machine: Machine, whole: Sequence[str]) -> dict[str, Any]:
    """Arguments of ``from_pretrained`` that load linear layers in ``bits``.

    4 bits are NF4 with double quantisation (Dettmers et al., 2023), 8 are LLM.int8 (Dettmers et al., 2022).

    Args:
        whole: modules that stay as they are: heads, which start at random and learn.

    Raises:
        UsageError: bitsandbytes is not installed.
        ResourceError: it does not compute on this device.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError(_('--method qlora needs bitsandbytes, which is not installed. Type: pip install "weitiao[quant]"'))
    if machine.device not in DEVICES:
        message = _("--method qlora does not run on {device}; bitsandbytes runs on {devices}. Use --device cpu, or --method lora.")
        raise ResourceError(message.format(device=machine.device, devices=", ".join(DEVICES)))
    from transformers import BitsAndBytesConfig

    if bits == 4:
        compute = torch.bfloat16 if machine.precision == "bf16" else torch.float32
        how = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": compute}
    else:
        how = {"load_in_8bit": True}
    # transformers reads this list for 4 bits as well, whatever its name says.
    return {"quantization_config": BitsAndBytesConfig(**how, llm_int8_skip_modules=list(whole)), "device_map": {"": machine.device}}


def size_of(parameter: torch.nn.Parameter) -> int:
    """Weights in a parameter: two 4-bit ones share a byte.

    >>> size_of(torch.nn.Parameter(torch.zeros(2, 3)))
    6
    """
    state = getattr(parameter, "quant_state", None)
    return int(state.shape.numel()) if state is not None and getattr(state, "shape", None) is not None else parameter.numel()
