"""Gradients of large embedding tables, kept from step to step: only the rows that a step reads are written, and cleared again.

torch makes a gradient as large as the table at every step, nearly all of it zeros: 47 MB for 30,000 words, 380 MB for a multilingual
250,000. The sums are the same. It knows no family of models and no loop.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

SMALLEST = 1 << 20  # elements of a table that is worth it


class _Lookup(torch.autograd.Function):
    """Rows of a table by their ids; on the way back they are added into the table's own gradient."""

    @staticmethod
    def forward(context: Any, table: torch.Tensor, ids: torch.Tensor, kept: "_Table") -> torch.Tensor:
        context.ids, context.kept = ids, kept
        return F.embedding(ids, table)  # (..., width)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[None, None, None]:
        context.kept.add(context.ids.reshape(-1), gradient.reshape(-1, gradient.shape[-1]))
        return None, None, None


class _Table:
    """One table, (rows, width), and the rows of its gradient that are not zero."""

    def __init__(self, module: nn.Embedding) -> None:
        self.module = module
        self.touched: list[torch.Tensor] = []
        self.dense = False
        # A model may compute with the whole table behind its module's back, as an output layer say: torch then adds a gradient of its own.
        module.weight.register_hook(self._noticed)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        table = self.module.weight
        if not (torch.is_grad_enabled() and table.requires_grad):
            return F.embedding(ids, table)
        result: torch.Tensor = _Lookup.apply(table, ids, self)
        return result

    def add(self, ids: torch.Tensor, gradient: torch.Tensor) -> None:
        table = self.module.weight
        if table.grad is None:
            table.grad = torch.zeros_like(table)
        if self.module.padding_idx is not None:
            # Padding has no gradient, in torch neither.
            gradient = gradient * (ids != self.module.padding_idx)[:, None]
        table.grad.index_add_(0, ids, gradient.to(table.dtype))
        self.touched.append(ids)

    def clear(self) -> None:
        gradient = self.module.weight.grad
        if gradient is not None and self.dense:
            gradient.zero_()
        elif gradient is not None:
            for ids in self.touched:
                gradient.index_fill_(0, ids, 0)
        self.touched, self.dense = [], False

    def _noticed(self, gradient: torch.Tensor | None) -> None:
        self.dense = self.dense or gradient is not None


class KeptGradients:
    """The gradients of a network's large embedding tables.

    A table that is also an output layer, whose gradient is dense anyway, stays as it is, and so does one that torch treats in a way of its
    own (sparse gradients, a largest norm, gradients by frequency).

    Args:
        network: its embedding modules are changed in place; nothing of it is saved with the weights.
    """

    def __init__(self, network: nn.Module) -> None:
        owners: dict[int, int] = {}
        for module in network.modules():
            for parameter in module.parameters(recurse=False):
                owners[id(parameter)] = owners.get(id(parameter), 0) + 1
        self.tables = [
            _Table(module)
            for module in network.modules()
            if type(module) is nn.Embedding and module.weight.numel() >= SMALLEST and owners[id(module.weight)] == 1 and _ordinary(module)
        ]
        for table in self.tables:
            table.module.forward = table.forward  # type: ignore[method-assign, assignment]

    def clear(self, optimizer: torch.optim.Optimizer) -> None:
        """What ``optimizer.zero_grad()`` does, with the tables' gradients kept and their rows set to zero."""
        kept = [(table, table.module.weight.grad) for table in self.tables]
        optimizer.zero_grad()
        for table, gradient in kept:
            table.module.weight.grad = gradient
            table.clear()


def _ordinary(module: nn.Embedding) -> bool:
    return not (module.sparse or module.scale_grad_by_freq or module.max_norm is not None) and module.weight.requires_grad
