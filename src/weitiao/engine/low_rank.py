"""LoRA's products at the price of their few numbers: PEFT's layers, computed with fewer passes over the hidden states.

Written out, y = W x + b + s B A drop(x) reads and writes tensors as large as x or y some fifteen times each way, which takes as long as
the gradients of W that LoRA saves. Here the second product is added into the first where it stands, and what dropout left is computed
again on the way back. The mathematics is PEFT's. It knows PEFT's layers; it knows no family of models and no loop.
"""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from weitiao.engine.dropout import draw


class _Adapted(torch.autograd.Function):
    """W x + bias + scale B A drop(x), over the rows of x, (tokens, in) -> (tokens, out). W and the bias are frozen. All is computed in the
    number format of x and W; A and B, which learn, may be finer.
    """

    @staticmethod
    def forward(
        context: Any,
        x: torch.Tensor,
        a: torch.Tensor,
        b: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        scale: float,
        p: float,
    ) -> torch.Tensor:
        context.formats = a.dtype, b.dtype
        a, b = a.to(x.dtype), b.to(x.dtype)
        kept, factor = _draw(x, p) if p else (None, 1.0)
        low = F.linear(_dropped(x, kept), a)  # (tokens, rank)
        context.scale = scale * factor
        context.save_for_backward(x, a, b, weight, kept, low)
        return F.linear(x, weight, bias).addmm_(low, b.t(), alpha=context.scale)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, a, b, weight, kept, low = context.saved_tensors
        narrow = (gradient @ b).mul_(context.scale)  # (tokens, rank)
        of_x = None
        if context.needs_input_grad[0]:
            of_x = gradient @ weight
            if kept is None:
                of_x.addmm_(narrow, a)
            else:
                of_x.addcmul_(narrow @ a, kept)
        of_a, of_b = narrow.t() @ _dropped(x, kept), (gradient.t() @ low).mul_(context.scale)
        of_a, of_b = (x.to(format) for x, format in zip((of_a, of_b), context.formats, strict=True))
        return of_x, of_a, of_b, None, None, None, None


def _draw(x: torch.Tensor, p: float) -> tuple[torch.Tensor, float]:
    """See ``dropout.draw``; a GPU draws by itself."""
    return draw(x, p) if x.device.type == "cpu" else (torch.empty_like(x).bernoulli_(1 - p), 1 / (1 - p))


def _dropped(x: torch.Tensor, kept: torch.Tensor | None) -> torch.Tensor:
    return x if kept is None else x * kept


def make_products_cheap(network: nn.Module) -> None:
    """Let the LoRA layers of a network compute this way, those that stand beside a frozen matrix of plain numbers. Nothing of it is saved
    with the weights.
    """
    from peft.tuners.lora import LoraLayer

    for module in network.modules():
        # A second adapter on the same base comes by here again.
        if isinstance(module, LoraLayer) and "forward" not in vars(module) and _matrix(module.get_base_layer()) is not None:
            module.forward = partial(_forward, module, module.forward)


def _matrix(base: nn.Module) -> torch.Tensor | None:
    """(out, in), the frozen matrix of a linear layer; None for a layer that is something else beside, as bitsandbytes' are."""
    if type(base) is nn.Linear:
        return base.weight
    # GPT-2 keeps its matrices the other way round.
    return base.weight.t() if type(base).__name__ == "Conv1D" else None  # type: ignore[operator]


def _forward(module: Any, of_peft: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    result: torch.Tensor
    names = [name for name in module.active_adapters if name in module.lora_A]
    if args or kwargs or len(names) != 1 or module.disable_adapters or module.merged or module.lora_variant:
        result = of_peft(x, *args, **kwargs)
        return result
    base, a, b = module.get_base_layer(), module.lora_A[names[0]], module.lora_B[names[0]]
    weight = _matrix(base)
    assert weight is not None
    device = x.device.type
    wanted = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else a.weight.dtype
    if weight.dtype != wanted or weight.requires_grad or a.bias is not None or b.bias is not None:
        result = of_peft(x)
        return result
    dropout = module.lora_dropout[names[0]]  # nn.Identity where there is none
    p = dropout.p if module.training and isinstance(dropout, nn.Dropout) else 0.0
    rows = x.reshape(-1, x.shape[-1]).to(wanted)
    # Each number is cast here, once.
    with torch.autocast(device, enabled=False):
        result = _Adapted.apply(rows, a.weight, b.weight, weight, base.bias, module.scaling[names[0]], p)
    return result.view(*x.shape[:-1], -1)
