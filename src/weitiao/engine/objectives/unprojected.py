"""Logits over a vocabulary that were never made: hidden states with the matrix that would make them, and their cross-entropy in pieces.

The gradients are computed together with the loss, piece by piece, as Hsu et al. (2024, Liger Kernel) do, so that no tensor is ever as
large as positions times vocabulary. It knows tensors only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F

PIECE = {"cpu": 1 << 24, "cuda": 1 << 28}  # most logits at a time


@dataclass(frozen=True)
class Unprojected:
    """What stands in the place of logits, (..., vocabulary).

    Attributes:
        states: (..., width)
        weight, bias: (vocabulary, width), (vocabulary,) or None.
    """

    states: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None

    def __getitem__(self, index: Any) -> "Unprojected":
        """Some of the positions."""
        return replace(self, states=self.states[index])

    def cross_entropy(self, targets: torch.Tensor, smoothing: float) -> torch.Tensor:
        """Summed over positions; the states are (positions, width) by now. See ``weighing.cross_entropy``."""
        loss: torch.Tensor = _CrossEntropy.apply(self.states, self.weight, self.bias, targets, smoothing)
        return loss

    def best(self) -> torch.Tensor:
        """(positions,) the likeliest id of each; the states are (positions, width) by now."""
        return self._each(lambda logits: logits.argmax(dim=-1))

    def sampled(self) -> torch.Tensor:
        """(positions,) an id of each, drawn by its probability from torch's generator."""
        return self._each(drawn_ids)

    def _each(self, choose: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """What ``choose`` makes of logits, (positions, vocabulary), piece by piece."""
        matrix = self.weight.to(self.states.dtype)
        bias = None if self.bias is None else self.bias.to(self.states.dtype)
        size = max(1, PIECE.get(self.states.device.type, PIECE["cpu"]) // len(matrix))
        with torch.no_grad():
            return torch.cat([choose(F.linear(piece, matrix, bias)) for piece in self.states.split(size)])


def drawn_ids(logits: torch.Tensor) -> torch.Tensor:
    """(positions,) an id of each of (positions, vocabulary) logits, drawn by its probability: where the summed probabilities pass a number.

    >>> drawn_ids(torch.tensor([[0.0, 99.0, 0.0]])).tolist()
    [1]
    """
    chances = torch.softmax(logits, dim=-1, dtype=torch.float32).cumsum(dim=-1)
    mark = torch.rand(len(logits), 1, device=logits.device) * chances[:, -1:]
    return torch.searchsorted(chances, mark, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


class _CrossEntropy(torch.autograd.Function):
    """Of softmax(states weight^T + bias) with targets, one of which gets 1 - smoothing and all together the rest."""

    @staticmethod
    def forward(
        context: Any, states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor, smoothing: float
    ) -> torch.Tensor:
        vocabulary, dtype = len(weight), states.dtype
        wanted = context.needs_input_grad
        matrix = weight.to(dtype)
        loss = torch.zeros((), device=states.device)
        of_states = torch.empty_like(states) if wanted[0] else None
        of_weight = torch.zeros_like(weight, dtype=torch.float32) if wanted[1] else None
        of_bias = torch.zeros_like(bias, dtype=torch.float32) if bias is not None and wanted[2] else None
        size = max(1, PIECE.get(states.device.type, PIECE["cpu"]) // vocabulary)
        for at in range(0, len(states), size):
            own, right = states[at : at + size], targets[at : at + size, None]
            logits = F.linear(own, matrix, None if bias is None else bias.to(dtype))
            log_chances = F.log_softmax(logits, dim=-1, dtype=torch.float32)  # (positions, vocabulary)
            of_right = log_chances.gather(1, right)  # (positions, 1)
            loss -= (1 - smoothing) * of_right.sum()
            if smoothing:
                loss -= smoothing / vocabulary * log_chances.sum()
            slopes = torch.exp(log_chances, out=logits)  # in the place of what is no longer needed
            if smoothing:
                slopes.sub_(smoothing / vocabulary)
            # The right one's slope, p - 1, before it is rounded: near 1 too few digits of p are left in 16 bits.
            slopes.scatter_(1, right, (of_right.expm1() + smoothing - smoothing / vocabulary).to(dtype))
            if of_states is not None:
                of_states[at : at + size] = slopes @ matrix
            if of_weight is not None:
                of_weight += slopes.t() @ own
            if of_bias is not None:
                of_bias += slopes.sum(dim=0, dtype=torch.float32)
        context.save_for_backward(of_states, of_weight, of_bias)
        context.dtype = weight.dtype
        return loss

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        of_states, of_weight, of_bias = (x if x is None else x * gradient for x in context.saved_tensors)
        cast = [x if x is None else x.to(context.dtype) for x in (of_weight, of_bias)]
        return None if of_states is None else of_states.to(context.saved_tensors[0].dtype), cast[0], cast[1], None, None
