"""The part of a network in which nothing learns: what it gives of each row is computed once, before the first step, and kept.

What is kept is bounded by the memory that is free; what finds no room is computed again at every step. Either way the frozen part runs
without dropout and without gradients. Which part that is, and how the network goes on behind it, subclasses know. It knows no task and no
loop.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from weitiao.engine.batching import micro_batches
from weitiao.engine.devices import free_memory
from weitiao.engine.late_projection import LateProjection
from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives import Collated, Example, Objective
from weitiao.engine.prediction import in_halves
from weitiao.processing import Features

ROOM_SHARE = 0.5  # of the memory that is free, for what is kept
WINDOW, FILL_TOKENS = 1024, 4096  # rows that are sorted by length together, and tokens in one pass, while what is kept is computed
TOLERANCE, HALF_TOLERANCE = 1e-3, 0.05  # largest difference of a gradient, as a share of its largest element, in fp32 and in 16 bits
# A gradient that is zero but for rounding is measured by this share of the largest one of all.
SMALL_GRADIENT = 1e-3


class FrozenPart(ABC):
    """The frozen part of a loaded model, and what it gave of the rows seen so far.

    Args:
        loaded: what is frozen has no gradients.
        objective: what it learns by. What it gives of a row must be the same at every step.
        late: the way through the network, where that puts products with the vocabulary off; None where it is run as it is.
    """

    def __init__(self, loaded: LoadedModel, objective: Objective, late: LateProjection | None = None) -> None:
        self.loaded, self.objective = loaded, objective
        self.way = late or loaded
        self.kept: dict[int, _Kept] = {}
        self.room = int(free_memory(loaded.machine.device) * ROOM_SHARE)  # bytes that may still be kept

    @property
    @abstractmethod
    def title(self) -> str:
        """Which part that is, in words."""

    @abstractmethod
    def train(self) -> None:
        """Dropout in that which learns: what the frozen part gives is always the same."""

    @abstractmethod
    def _compute(self, batch: Collated) -> list[torch.Tensor]:
        """What the frozen part gives of each row of a batch, in the batch's order: (width,) or (tokens, width), of those that are read."""

    @abstractmethod
    def _go_on(self, given: Sequence[torch.Tensor], batch: Collated) -> Any:
        """The network's outputs for a batch, from what the frozen part gave of its rows; gradients reach all that learns."""

    def forward(self, rows: Sequence[Example], batch: Collated) -> Any:
        """The network's outputs for a collated batch of ``rows``; gradients reach all that learns. What was not kept is computed again."""
        flat = [one for row in rows for one in row]
        given = {id(one): self.kept[id(one)].given for one in flat if id(one) in self.kept}
        missing = [row for row in rows if any(id(one) not in given for one in row)]
        if missing:
            new = self._given_of(missing, batch if len(missing) == len(rows) else self._collated(missing))
            given |= zip((id(one) for row in missing for one in row), new, strict=True)
        return self._go_on([given[id(flat[number])] for number in batch.order], batch)

    def fill(self, examples: Sequence[Example], most: int | None = None, progress: Callable[[int], None] = lambda rows: None) -> int:
        """Compute and keep what the frozen part gives, of as many rows from the first on as find room, in place of what was kept before.

        The last digits of a row's numbers depend on the rows that it is computed with. So these go through the network in the order of the
        data, whatever a training does later: one that goes on after a break has the very same.

        Args:
            examples: all rows of the training.
            most: keep so many features and no more, as an earlier part of the same training did; None for all that find room.
            progress: hears for how many of the rows it is done.

        Returns:
            How many were kept.
        """
        self.forget()
        done = 0
        for at in range(0, len(examples), WINDOW):
            window = examples[at : at + WINDOW]
            costs = [self.objective.cost(row) for row in window]
            for group in micro_batches(costs, FILL_TOKENS, padded=self.loaded.packing is None):
                if not self._keep([window[row] for row in group], most):
                    return len(self.kept)
                done += len(group)
                progress(done)
        return len(self.kept)

    def forget(self) -> None:
        """Let go of all that was kept."""
        self.room += self.held
        self.kept = {}

    @property
    def held(self) -> int:
        """Bytes of all that is kept."""
        return sum(one.given.nbytes for one in self.kept.values())

    def to_keep(self, rows: int) -> tuple[int, float]:
        """(bytes still to be kept, share of the rows that finds room), for so many rows like those that are kept by now."""
        held = self.held
        wanted = round(held / max(1, len(self.kept)) * rows) - held
        return min(wanted, self.room), min(1.0, (held + self.room) / max(1, held + wanted))

    def _keep(self, rows: Sequence[Example], most: int | None) -> bool:
        """Keep what the frozen part gives of some rows; False once there is no more room."""
        if len(self.kept) == most:
            return False
        given = in_halves(lambda part: self._given_of(part, self._collated(part)), rows)
        for one, own in zip((features for row in rows for features in row), given, strict=True):
            if own.nbytes > self.room or len(self.kept) == most:
                return False
            self.kept[id(one)] = _Kept(one, own)
            self.room -= own.nbytes
        return True

    def _collated(self, rows: Sequence[Example]) -> Collated:
        return self.objective.collate(rows, self.loaded.padding).to(self.loaded.machine.device)

    def _given_of(self, rows: Sequence[Example], batch: Collated) -> list[torch.Tensor]:
        """What the frozen part gives of each of the rows' features, in their order."""
        placed = dict(zip(batch.order, self._compute(batch), strict=True))
        return [placed[at].clone() for at in range(len(placed))]

    def _learns_the_same(self, learned: Sequence[torch.Tensor], given: Sequence[torch.Tensor], batch: Collated) -> bool:
        """Whether the network that goes on from ``given`` has the whole network's gradients. Dropout would draw twice, and must be off."""

        def gradients(outputs: Any) -> tuple[torch.Tensor | None, ...]:
            return torch.autograd.grad(self.objective.loss(outputs, batch), learned, allow_unused=True)

        pairs = list(zip(gradients(self.way.forward(batch)), gradients(self._go_on(given, batch)), strict=True))
        largest = max((float(whole.abs().max()) for whole, _alone in pairs if whole is not None), default=0.0)
        tolerance = TOLERANCE if self.loaded.machine.precision == "fp32" else HALF_TOLERANCE
        for whole, alone in pairs:
            if whole is None or alone is None:
                if whole is not alone:
                    return False
            elif not (whole - alone).abs().max() <= tolerance * max(float(whole.abs().max()), SMALL_GRADIENT * largest):
                return False
        return True


@dataclass(frozen=True)
class _Kept:
    """What a frozen part gave of one row, and the row itself, so that no other can take its identity."""

    features: Features
    given: torch.Tensor
