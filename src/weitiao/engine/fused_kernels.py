"""Norms, rotary positions and gated activations of a decoder in one kernel each, on a GPU: those of Liger Kernel (Hsu et al., 2024), where
it is installed (pip install "weitiao[liger]").

Written out in PyTorch each of them reads and writes the hidden states several times over: a third of a step's time beside LoRA. They
are put on a network's own modules, family by family as these are built, and only where its outputs stay what they were. It knows no
task and no loop.
"""

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from weitiao.engine.out_of_memory import is_out_of_memory

if TYPE_CHECKING:
    import torch
    from torch import nn

# Families whose norms and activations are those below; of a norm's weight, what is added to it, and how it is cast.
FAMILIES = {**dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), (0.0, "llama")), "gemma": (1.0, "gemma")}
TOLERANCE = 0.05  # largest difference of an output, as a share of the largest of them: all is computed in 16 bits


def installed() -> bool:
    """Whether Liger Kernel is there."""
    return importlib.util.find_spec("liger_kernel") is not None


def fuse(network: Any, outputs: Callable[[], "torch.Tensor"]) -> bool:
    """Put the kernels on a network, and say whether they are there now.

    Args:
        outputs: what the network answers, the same every time but for them.
    """
    family = network.config.model_type
    if family not in FAMILIES or not installed():
        return False
    from liger_kernel.transformers import functional

    plain, (offset, casting) = outputs(), FAMILIES[family]
    changed: list[nn.Module] = []
    for module in network.modules():
        if type(module).__name__.endswith("RMSNorm"):
            eps = getattr(module, "variance_epsilon", getattr(module, "eps", 1e-6))
            _set(module, partial(_norm, module, functional.liger_rms_norm, eps, offset, casting), changed)
        elif all(hasattr(module, name) for name in ("gate_proj", "up_proj", "down_proj", "act_fn")):
            silu = network.config.hidden_act in ("silu", "swish")
            _set(module, partial(_gated, module, functional.liger_swiglu if silu else functional.liger_geglu), changed)
    # A network of somebody's own stands in a module of its own; what it is built on does not.
    family_module = sys.modules[type(getattr(network, network.base_model_prefix, network)).__module__]
    rotate = family_module.apply_rotary_pos_emb
    if not hasattr(rotate, "plain"):
        family_module.apply_rotary_pos_emb = _rotary(rotate, functional.liger_rope)  # type: ignore[attr-defined]
    try:
        found = outputs()
        if bool((found - plain).abs().max() <= TOLERANCE * plain.abs().max()):
            return True
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:  # built otherwise than what the kernels were made for
        if is_out_of_memory(error):
            raise
    for module in changed:
        del module.forward
    family_module.apply_rotary_pos_emb = getattr(rotate, "plain", rotate)  # type: ignore[attr-defined]
    return False


def _set(module: "nn.Module", forward: Any, changed: list["nn.Module"]) -> None:
    module.forward = forward
    changed.append(module)


def _norm(module: Any, kernel: Any, eps: float, offset: float, casting: str, x: "torch.Tensor") -> "torch.Tensor":
    normed: torch.Tensor = kernel(x, module.weight, eps, offset, casting)
    return normed


def _gated(module: Any, kernel: Any, x: "torch.Tensor") -> "torch.Tensor":
    gated: torch.Tensor = module.down_proj(kernel(module.gate_proj(x), module.up_proj(x)))
    return gated


def _rotary(plain: Any, kernel: Any) -> Any:
    """A family's function for all its networks in this process: the kernel on a GPU, and elsewhere what it was."""

    def rotate(q: "torch.Tensor", k: "torch.Tensor", cos: "torch.Tensor", sin: "torch.Tensor", *args: Any, **kwargs: Any) -> Any:
        if q.is_cuda and not args and not kwargs:
            return kernel(q, k, cos, sin)
        return plain(q, k, cos, sin, *args, **kwargs)

    rotate.plain = plain  # type: ignore[attr-defined]
    return rotate
