"""A frozen backbone: only the head learns, so what it is given of each row is computed once and kept for all epochs.

The head's input is caught on its way from the base model into the first module that learns. Later the base model is left out: the network
runs with empty hidden states in the place of its own, and what was kept is put before the head. So whatever a family does behind its head
stays the family's own. It knows no task and no loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from weitiao.engine.adapters import head_modules
from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives import Collated, Example, Objective
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.processing import Features


class FrozenBackbone:
    """A loaded model of which only the head is trained.

    Args:
        loaded: its weights are frozen but for the head's.
        objective: what it learns by.

    Raises:
        UsageError: the model has no head of its own on top of a base model, or the rows are others at every step.
    """

    def __init__(self, loaded: LoadedModel, objective: Objective) -> None:
        network = loaded.network
        if type(objective).drawn is not Objective.drawn:
            message = _(
                "--method head computes what the head is given once, and this task hides other words at every step. Use --method lora."
            )
            raise UsageError(message)
        names = head_modules(network, loaded.fresh_head)
        if not names or not hasattr(network, network.base_model_prefix):
            message = _("--method head trains a new head alone, and {family} has none for this task. Use --method lora or full.")
            raise UsageError(message.format(family=network.config.model_type))
        network.requires_grad_(False)
        self.heads = [network.get_submodule(name) for name in names]
        for head in self.heads:
            head.requires_grad_(True)
            head.register_forward_pre_hook(self._before)
        self.loaded = loaded
        self.base = getattr(network, network.base_model_prefix)
        self.kept: dict[int, _Kept] = {}
        self._caught: list[torch.Tensor] | None = None  # while the whole network runs
        self._given: list[torch.Tensor] | None = None  # while the head runs alone
        self._outputs: Any = None  # one answer of the base model, as a pattern

    def train(self) -> None:
        """Dropout in the head alone: what the base model gives is always the same."""
        self.loaded.network.eval()
        for head in self.heads:
            head.train()

    def forward(self, rows: Sequence[Example], batch: Collated) -> Any:
        """The network's outputs for a collated batch of ``rows``; gradients reach the head."""
        features = [one for row in rows for one in row]
        flat = [features[number] for number in batch.order]  # as the batch has them
        if any(id(one) not in self.kept for one in flat):
            self._keep(flat, batch)
        kept = [self.kept[id(one)].given for one in flat]
        by_token = kept[0].ndim == 2
        self._given = [nn.utils.rnn.pad_sequence(kept, batch_first=True) if by_token else torch.stack(kept)]
        plain = self.base.forward
        # Set on the module and not on its class, and taken back: the base model stays what it is.
        self.base.forward = lambda *args, **inputs: self._stand_in(len(flat), max(batch.lengths))
        try:
            with self.loaded.autocast():
                return self.loaded.network(**batch.inputs)
        finally:
            self.base.forward, self._given = plain, None

    def _keep(self, flat: Sequence[Features], batch: Collated) -> None:
        """Run the whole network once for these rows and keep what its head is given."""
        caught: list[torch.Tensor] = []
        self._caught = caught
        catch = self.base.register_forward_hook(self._seen)
        try:
            with torch.no_grad():
                self.loaded.forward(batch)
        finally:
            catch.remove()
            self._caught = None
        given = caught[0]  # (rows, width) or (rows, length, width)
        for row, (one, length) in enumerate(zip(flat, batch.lengths, strict=True)):
            self.kept[id(one)] = _Kept(one, given[row, :length].clone() if given.ndim == 3 else given[row].clone())

    def _before(self, head: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        """Before a head: note what it is given, or give it what was kept. A second head goes on from what the first one says."""
        if self._caught is not None:
            self._caught.append(inputs[0].detach())
        return (self._given.pop(), *inputs[1:]) if self._given else None

    def _seen(self, base: nn.Module, inputs: Any, outputs: Any) -> None:
        self._outputs = outputs

    def _stand_in(self, rows: int, tokens: int) -> Any:
        """Outputs of the base model's kind and shapes, without content: nothing of them reaches the head."""
        made = {}
        for name, value in vars(self._outputs).items():
            if isinstance(value, torch.Tensor):
                # (rows, length, ...) follows the batch; (rows, width) has no length of its own.
                inner = (tokens, *value.shape[2:]) if value.ndim > 2 else value.shape[1:]
                made[name] = value.new_zeros(rows, *inner)
        return type(self._outputs)(**made)


@dataclass(frozen=True)
class _Kept:
    """What a head is given of one row, and the row itself, so that no other can take its identity."""

    features: Features
    given: torch.Tensor
