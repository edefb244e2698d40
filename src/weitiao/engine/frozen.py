"""A frozen backbone: only the head learns, so what it is given of each row is computed once, before the first step, and kept.

The head's input is caught on its way from the base model into the first module that learns. Later the base model is left out: the network
runs with empty hidden states in the place of its own, and what was kept is put before the head. So whatever a family does behind its head
stays the family's own. It knows no task and no loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from weitiao.engine.adapters import head_modules, refuse_loose_weights
from weitiao.engine.batching import micro_batches
from weitiao.engine.devices import free_memory
from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives import Collated, Example, Objective
from weitiao.engine.prediction import in_halves
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.processing import Features

ROOM_SHARE = 0.5  # of the memory that is free, for what is kept
WINDOW, FILL_TOKENS = 1024, 4096  # rows that are sorted by length together, and tokens in one pass, while what is kept is computed
TOLERANCE, HALF_TOLERANCE = 1e-3, 0.05  # largest difference of a gradient, as a share of its largest element, in fp32 and in 16 bits


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
        refuse_loose_weights(network, names, loaded.fresh_head)
        network.requires_grad_(False)
        self.heads = [network.get_submodule(name) for name in names]
        for head in self.heads:
            head.requires_grad_(True)
            head.register_forward_pre_hook(self._before)
        self.loaded, self.objective = loaded, objective
        self.base = getattr(network, network.base_model_prefix)
        self.kept: dict[int, _Kept] = {}
        self.room = int(free_memory(loaded.machine.device) * ROOM_SHARE)  # bytes that may still be kept
        self._checked = False
        self._caught: list[torch.Tensor] | None = None  # while the whole network runs
        self._given: list[torch.Tensor] | None = None  # while the head runs alone
        self._outputs: Any = None  # one answer of the base model, as a pattern

    def train(self) -> None:
        """Dropout in the head alone: what the base model gives is always the same."""
        self.loaded.network.eval()
        for head in self.heads:
            head.train()

    def forward(self, rows: Sequence[Example], batch: Collated) -> Any:
        """The network's outputs for a collated batch of ``rows``; gradients reach the head. What was not kept is computed again."""
        features = [one for row in rows for one in row]
        flat = [features[number] for number in batch.order]  # as the batch has them
        if all(id(one) in self.kept for one in flat):
            return self._head_alone([self.kept[id(one)].given for one in flat], batch)
        given = self._run_whole(batch)
        if not self._checked:
            self._check(given, batch)
        return self._head_alone(given, batch)

    def fill(self, examples: Sequence[Example], most: int | None = None) -> int:
        """Compute and keep what the head is given, of as many rows from the first on as find room, in place of what was kept before.

        The last digits of a row's numbers depend on the rows that it is computed with. So these go through the network in the order of the
        data, whatever a training does later: one that goes on after a break has the very same.

        Args:
            examples: all rows of the training.
            most: keep so many features and no more, as an earlier part of the same training did; None for all that find room.

        Returns:
            How many were kept.
        """
        self.forget()
        for at in range(0, len(examples), WINDOW):
            window = examples[at : at + WINDOW]
            costs = [self.objective.cost(row) for row in window]
            for group in micro_batches(costs, FILL_TOKENS, padded=self.loaded.packing is None):
                if not self._keep([window[row] for row in group], most):
                    return len(self.kept)
        return len(self.kept)

    def forget(self) -> None:
        """Let go of all that was kept."""
        self.room += sum(one.given.nbytes for one in self.kept.values())
        self.kept = {}

    def _keep(self, rows: Sequence[Example], most: int | None) -> bool:
        """Keep what the head is given of some rows; False once there is no more room."""
        given = in_halves(self._given_of, rows)
        for one, own in zip((features for row in rows for features in row), given, strict=True):
            if own.nbytes > self.room or len(self.kept) == most:
                return False
            self.kept[id(one)] = _Kept(one, own)
            self.room -= own.nbytes
        return True

    def _given_of(self, rows: Sequence[Example]) -> list[torch.Tensor]:
        """What the head is given of each of the rows' features, in their order."""
        batch = self.objective.collate(rows, self.loaded.padding).to(self.loaded.machine.device)
        given = self._run_whole(batch)
        if not self._checked:
            self._check(given, batch)
        placed = dict(zip(batch.order, given, strict=True))
        return [placed[at].clone() for at in range(len(placed))]

    def to_keep(self, rows: int) -> tuple[int, float]:
        """(bytes still to be kept, share of the rows that finds room), for so many rows like those that are kept by now."""
        held = sum(one.given.nbytes for one in self.kept.values())
        wanted = round(held / max(1, len(self.kept)) * rows) - held
        return min(wanted, self.room), min(1.0, (held + self.room) / max(1, held + wanted))

    def _head_alone(self, given: Sequence[torch.Tensor], batch: Collated) -> Any:
        by_token = given[0].ndim == 2
        self._given = [nn.utils.rnn.pad_sequence(list(given), batch_first=True) if by_token else torch.stack(list(given))]
        plain = self.base.forward
        # Set on the module and not on its class, and taken back: the base model stays what it is.
        self.base.forward = lambda *args, **inputs: self._stand_in(len(given), max(batch.lengths))
        try:
            with self.loaded.autocast():
                return self.loaded.network(**batch.inputs)
        finally:
            self.base.forward, self._given = plain, None

    def _run_whole(self, batch: Collated) -> list[torch.Tensor]:
        """What the head is given of each row, (width,) or (its tokens, width), by the whole network."""
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
        return [own[:length] if given.ndim == 3 else own for own, length in zip(given, batch.lengths, strict=True)]

    def _check(self, given: list[torch.Tensor], batch: Collated) -> None:
        """Raises UsageError where the head alone would learn something else than the whole network's head."""
        if any("pooler" in name for name in self.loaded.fresh) and self._is_pooled(given):
            message = _(
                "The head reads the pooler of {family}, which this base model does not hold: it starts at random, and --method head would "
                "leave it so. Use --method lora or full."
            )
            raise UsageError(message.format(family=self.loaded.network.config.model_type))
        training = self.heads[0].training
        for head in self.heads:
            head.eval()  # dropout would draw twice
        learned = [parameter for head in self.heads for parameter in head.parameters()]
        gradients = [
            torch.autograd.grad(self.objective.loss(outputs, batch), learned, allow_unused=True)
            for outputs in (self.loaded.forward(batch), self._head_alone(given, batch))
        ]
        for head in self.heads:
            head.train(training)
        tolerance = TOLERANCE if self.loaded.machine.precision == "fp32" else HALF_TOLERANCE
        for whole, alone in zip(*gradients, strict=True):
            if (whole is None) != (alone is None) or (whole is not None and (whole - alone).abs().max() > tolerance * whole.abs().max()):
                message = _(
                    "--method head gives a head the base model's states once, and {name} does more with them before it answers. Use "
                    "--method lora or full."
                )
                raise UsageError(message.format(name=type(self.loaded.network).__name__))
        self._checked = True

    def _is_pooled(self, given: Sequence[torch.Tensor]) -> bool:
        pooled = getattr(self._outputs, "pooler_output", None)
        return pooled is not None and pooled.shape == (len(given), *given[0].shape) and torch.equal(pooled, torch.stack(list(given)))

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
