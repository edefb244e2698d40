"""A base model's weights in 4 or 8 bits, through bitsandbytes: what loading needs to be told, who cannot do it, and the way back to
ordinary weights. It knows no adapter.
"""

import importlib.util
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

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
        raise ResourceError(message.format(device=machine.device, devices=_(", ").join(DEVICES)))
    from transformers import BitsAndBytesConfig

    if bits == 4:
        compute = torch.bfloat16 if machine.precision == "bf16" else torch.float32
        how = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": compute}
    else:
        how = {"load_in_8bit": True}
    # transformers reads this list for 4 bits as well, whatever its name says.
    return {"quantization_config": BitsAndBytesConfig(**how, llm_int8_skip_modules=list(whole)), "device_map": {"": machine.device}}


def dequantise(network: nn.Module) -> None:
    """Turn a network's quantised layers back into ordinary ones, with the values that they were rounded to. A network without any stays."""
    model = _quantised_in(network)
    if model is None:
        return
    import bitsandbytes
    from transformers.pytorch_utils import Conv1D

    kinds = (bitsandbytes.nn.Linear4bit, bitsandbytes.nn.Linear8bitLt)
    layers = {name: module for name, module in model.named_modules() if isinstance(module, kinds)}
    if not layers:  # transformers would stumble
        return
    model.dequantize(dtype=torch.float32)
    for name, layer in layers.items():
        # GPT-2 keeps its matrices the other way round, and transformers leaves them turned.
        if issubclass(getattr(layer, "source_cls", nn.Linear), Conv1D):
            plain = model.get_submodule(name)
            turned = Conv1D(plain.out_features, plain.in_features)
            turned.weight, turned.bias = nn.Parameter(plain.weight.detach().t().contiguous()), plain.bias
            model.set_submodule(name, turned)


def place(network: nn.Module, device: str) -> None:
    """Bring a network to a device. Quantised weights are there already and stay as they are; layers that others put on them follow."""
    if _quantised_in(network) is None:
        network.to(device)
        return
    module: Any
    for module in network.modules():
        # On processors with AVX-512 for bf16 its layers of 4 bits would lay their weights out otherwise, for good, when they first answer:
        # they are rounded once more by that, and nothing can be learned through them any more.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.device.type != device:
            tensor.data = tensor.data.to(device)


def _quantised_in(network: nn.Module) -> Any:
    """The model that transformers has quantised: the network, or what one of somebody's own, or of two encoders, holds; or None."""
    return next((module for module in network.modules() if getattr(module, "hf_quantizer", None) is not None), None)


def size_of(parameter: torch.nn.Parameter) -> int:
    """Weights in a parameter: two 4-bit ones share a byte.

    >>> size_of(torch.nn.Parameter(torch.zeros(2, 3)))
    6
    """
    state = getattr(parameter, "quant_state", None)
    return int(state.shape.numel()) if state is not None and getattr(state, "shape", None) is not None else parameter.numel()
