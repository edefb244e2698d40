"""Dropout that is cheap on a CPU: one draw of a 64-bit integer decides over four elements. The mathematics is ``nn.Dropout``'s.

torch draws a number for every element, which takes up to a quarter of a training step. It knows no family of models and no loop.
"""

from functools import partial
from typing import Any

import torch
from torch import nn

_LANES = 1 << 16  # values of the 16 bits that decide over an element


def draw(x: torch.Tensor, p: float) -> tuple[torch.Tensor, float]:
    """Which elements stay, as booleans in the shape of ``x``, and what they are then multiplied by. Needs 0 < p < 1."""
    dropped = round(p * _LANES)  # of 65,536: the probability is exact to 1/131,072, and the scale is that of the exact value
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
    kept = words.view(torch.int16)[: x.numel()] >= dropped - _LANES // 2
    return kept.view(x.shape), _LANES / (_LANES - dropped)


class _Dropout(torch.autograd.Function):
    """x times a mask of 0 and 1 / (1 - p); the mask is kept for the way back."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, p: float) -> torch.Tensor:
        kept, scale = draw(x, p)
        mask = kept.to(x.dtype).mul_(scale)
        context.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (mask,) = context.saved_tensors
        return gradient * mask, None


def dropout(x: torch.Tensor, p: float, training: bool = True) -> torch.Tensor:
    """Each element is zero with probability ``p``, else divided by ``1 - p``; drawn from torch's own generator.

    >>> dropout(torch.ones(3), 0.5, training=False)
    tensor([1., 1., 1.])
    """
    if not training or not p or not x.numel():
        return x
    result: torch.Tensor = _Dropout.apply(x, p) if p < 1 else x * 0
    return result


def make_dropout_cheap(network: nn.Module) -> None:
    """Let every ``nn.Dropout`` of a network draw this way. Nothing of it is saved with the weights."""
    for module in network.modules():
        if type(module) is nn.Dropout:
            module.forward = partial(_forward, module)  # type: ignore[method-assign]


def _forward(module: nn.Dropout, x: torch.Tensor) -> torch.Tensor:
    return dropout(x, module.p, module.training)
