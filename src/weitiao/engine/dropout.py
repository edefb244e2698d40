"""Dropout that is cheap on a CPU: 16 random bits decide over an element. The mathematics is ``nn.Dropout``'s.

torch draws a number for every element, one after the other, which takes up to a quarter of a training step. It knows no family of models
and no loop.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

_LANES = 1 << 16  # values of the 16 bits that decide over an element


def draw(x: torch.Tensor, p: float) -> tuple[torch.Tensor, float]:
    """Ones where elements stay and zeros where not, in the shape and type of ``x``, and what those that stay are then multiplied by. Needs
    0 < p < 1.
    """
    # Of 65,536: the probability is exact to 1/131,072, and the scale is that of the exact value.
    dropped = min(round(p * _LANES), _LANES - 1)
    # numpy's SFC64 takes a quarter of the time of torch's own generator, which gives the seed, so that whoever seeds torch seeds this.
    seed = int(torch.empty((), dtype=torch.int64).random_())
    words = torch.from_numpy(np.random.SFC64(seed).random_raw((x.numel() + 3) // 4).view(np.int16))[: x.numel()]
    kept = torch.empty(x.numel(), dtype=x.dtype)
    # A comparison written as numbers: as booleans it would have to be converted, which takes four times as long.
    return torch.ge(words, dropped - _LANES // 2, out=kept).view(x.shape), _LANES / (_LANES - dropped)


class _Dropout(torch.autograd.Function):
    """x times a mask of 0 and 1, times 1 / (1 - p); the mask is kept for the way back."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, p: float) -> torch.Tensor:
        kept, context.scale = draw(x, p)
        context.save_for_backward(kept)
        return torch.addcmul(x.new_zeros(()), x, kept, value=context.scale)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (kept,) = context.saved_tensors
        return torch.addcmul(gradient.new_zeros(()), gradient, kept, value=context.scale), None


def dropout(x: torch.Tensor, p: float, training: bool = True) -> torch.Tensor:
    """Each element is zero with probability ``p``, else divided by ``1 - p``; seeded by torch's own generator.

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
