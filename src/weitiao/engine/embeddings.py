"""Large embedding tables, trained at the price of the rows that the data touches. The mathematics is the whole table's.

Gradients are kept from step to step: torch makes one as large as the table at every step, nearly all of it zeros, 47 MB for 30,000 words,
380 MB for a multilingual 250,000; here only the rows that a step reads are written, and cleared again.

A compact vocabulary leaves the rows that no training text touches out of the optimizer altogether. Their gradient is always zero, so that
of AdamW's update only the weight decay is left (Loshchilov and Hutter, 2019): after steps with learning rates r they are what they
were, times the product of all (1 - r * decay). That product is all that is kept of them.

It knows no family of models and no loop.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

SMALLEST = 1 << 20  # elements of a table that is worth it
LARGEST_SHARE = 0.9  # of a table's rows that may occur, for the rest to be worth leaving out


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
    """One table, (words, width), and the rows of its gradient that are not zero.

    Attributes:
        trained: what the optimizer changes: the whole table, or (rows, width) of a compact vocabulary.
        row_of: (words,) each word's row among those, -1 where it has none; None for the whole table.
        decayed: () what weight decay has left of the words without a row.
        dense: whether the model uses the whole table in another way as well.
    """

    def __init__(self, module: nn.Embedding) -> None:
        self.module, self.trained, self.padding = module, module.weight, module.padding_idx
        self.row_of: torch.Tensor | None = None
        self.decayed = torch.ones((), dtype=torch.float64)
        self.touched: list[torch.Tensor] = []
        self.dense = False
        # A model may compute with the whole table behind its module's back, as an output layer say: torch then adds a gradient of its own.
        self.hook = module.weight.register_hook(self._noticed)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        rows = ids if self.row_of is None else self.row_of[ids]
        if torch.is_grad_enabled() and self.trained.requires_grad:
            result: torch.Tensor = _Lookup.apply(self.trained, rows, self)
            return result
        if self.row_of is None:
            return F.embedding(ids, self.trained)
        # What is only read may hold words that no training text has.
        others = F.embedding(ids, self.module.weight) * self.decayed
        return torch.where(rows[..., None] < 0, others, F.embedding(rows.clamp(min=0), self.trained))

    def add(self, rows: torch.Tensor, gradient: torch.Tensor) -> None:
        table = self.trained
        if table.grad is None:
            table.grad = torch.zeros_like(table)
        if self.padding is not None:
            # Padding has no gradient, in torch neither.
            gradient = gradient * (rows != self.padding)[:, None]
        table.grad.index_add_(0, rows, gradient.to(table.dtype))
        self.touched.append(rows)

    def compact(self, words: torch.Tensor) -> None:
        """Train the rows of these words, ascending, alone."""
        self.hook.remove()
        weight = self.module.weight
        self.row_of = torch.full((len(weight),), -1)
        self.row_of[words] = torch.arange(len(words))
        if self.padding is not None:
            self.padding = int(self.row_of[self.padding])
        self.trained = nn.Parameter(weight.detach()[words])
        weight.requires_grad_(False)
        weight.grad, self.touched = None, []
        # Under names of their own in the network, so that checkpoints hold them.
        self.module.register_parameter("rows_in_use", self.trained)
        self.module.register_buffer("decayed", self.decayed)

    def restore(self) -> None:
        """The whole table again, as training all of it would have left it."""
        assert self.row_of is not None
        weight = self.module.weight
        with torch.no_grad():
            weight.mul_(self.decayed)
            weight[self.row_of >= 0] = self.trained
        weight.requires_grad_(True)
        del self.module.rows_in_use, self.module.decayed
        self.trained, self.row_of, self.padding = weight, None, self.module.padding_idx
        self.decayed = torch.ones_like(self.decayed)
        self.hook = weight.register_hook(self._noticed)

    def clear(self) -> None:
        gradient = self.trained.grad
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
        kept = [(table, table.trained.grad) for table in self.tables]
        optimizer.zero_grad()
        for table, gradient in kept:
            table.trained.grad = gradient
            table.clear()

    def compact(self, module: nn.Module, words: torch.Tensor) -> bool:
        """Leave out of a table, from here to ``restore``, the rows of all words but these. An optimizer is made afterwards.

        Args:
            module: the embedding module.
            words: ids that a forward pass with gradients can read, ascending.

        Returns:
            Whether it was done: not for a table that is none of these, that the model has by now used in another way as well, or of which
            nearly all rows are in use.
        """
        table = next((table for table in self.tables if table.module is module), None)
        if table is None or table.dense or len(words) > LARGEST_SHARE * len(table.module.weight):
            return False
        table.compact(words)
        return True

    def stepped(self, decay: float) -> None:
        """A step was made that took the share ``decay`` of every weight: its learning rate times its weight decay."""
        for table in self.tables:
            if table.row_of is not None:
                table.decayed.mul_(1 - decay)

    def restore(self) -> None:
        """Every table whole again."""
        for table in self.tables:
            if table.row_of is not None:
                table.restore()


def _ordinary(module: nn.Embedding) -> bool:
    return not (module.sparse or module.scale_grad_by_freq or module.max_norm is not None) and module.weight.requires_grad
