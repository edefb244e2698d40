"""What an objective is: which tensors a batch becomes, the loss as a sum, the number of terms in it, and what an answer is.

A loss is kept as a sum so that a step may be cut into micro-batches and still be normalised over the whole step.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from weitiao.config import TrainingSettings
from weitiao.engine.prediction import Parts
from weitiao.processing import Features

Example = Sequence[Features]  # what belongs together in the loss: one Features, or all of a record's


@dataclass(frozen=True)
class Collated:
    """A padded batch, longest row first.

    Attributes:
        inputs: model input name -> (rows, length), or (rows, ...) for what is no token.
        targets: what the loss compares with, tensors by name; {} when predicting.
        lengths: (rows,) true lengths in tokens; a tensor while a network is traced, which is for batches of any lengths.
        order: row -> which of the batch's features it is, counted through all examples.
        flat: whether the rows stand one behind the other in one, (1, tokens), and ``lengths`` says where each ends: only a packed model
            reads such a batch.
    """

    inputs: dict[str, torch.Tensor]
    targets: dict[str, torch.Tensor]
    lengths: Any
    order: list[int]
    flat: bool = False

    def to(self, device: str) -> "Collated":
        """The same on a device."""
        moved = ({name: t.to(device, non_blocking=True) for name, t in tensors.items()} for tensors in (self.inputs, self.targets))
        inputs, targets = moved
        return replace(self, inputs=inputs, targets=targets)


class Objective:
    """The interface, and what most objectives share.

    Attributes:
        divisible: whether a step may be cut into micro-batches: a contrastive one may not.
        grouped: whether all features of a record make one example, as the options of a question do.
        reads: what it reads of a training row beside inputs and target, of "offsets", "words" and "parts": the others are forgotten.
        honours: settings of the loss that it listens to: "class_weights", "label_smoothing". To set another is an error.
        squash: how logits become probabilities: "softmax" over the last axis, "sigmoid" each by itself, "rows" a softmax over a record's
            rows; "" where they are none.
        parts: what of its answers is of which row, see ``prediction.Parts``.
    """

    divisible = True
    grouped = False
    reads: tuple[str, ...] = ()
    honours: tuple[str, ...] = ()
    squash = "softmax"
    parts: Parts = "rows"

    @classmethod
    def of(cls, settings: TrainingSettings, examples: Sequence[Example], spec: Mapping[str, Any]) -> "Objective":
        """The objective for a training; for prediction ``examples`` is empty."""
        return cls()

    def initial_bias(self) -> torch.Tensor | None:
        """(labels,) where the bias of a new output layer starts; None leaves it at zero."""
        return None

    def drawn(self, examples: Sequence[Example], draw: np.random.Generator) -> Sequence[Example]:
        """The examples of one step with what is drawn anew at every step, such as hidden tokens; more of them where an example has parts
        that the loss looks at one by one, so that a step may be cut between these.
        """
        return examples

    def collate(self, examples: Sequence[Example], padding: Mapping[str, int]) -> Collated:
        """Rows, longest first, padded to the longest with ``padding[name]`` (0 where unnamed)."""
        features = list(itertools.chain.from_iterable(examples))
        order = sorted(range(len(features)), key=lambda row: -len(features[row]))
        rows = [features[row] for row in order]
        groups = [group for group, example in enumerate(examples) for _ in example]
        lengths = [len(f) for f in rows]
        inputs = {name: pad([f.inputs[name] for f in rows], padding.get(name, 0)) for name in rows[0].inputs}
        inputs |= {name: torch.from_numpy(np.stack([f.arrays[name] for f in rows])) for name in rows[0].arrays}
        targets = {} if rows[0].target is None else self.targets(rows, [groups[row] for row in order])
        return Collated(inputs, targets, lengths, order)

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """What the loss compares with, from the rows in their order; ``groups`` says which example each row is of."""
        raise NotImplementedError

    def terms(self, examples: Sequence[Example]) -> float:
        """What the summed loss of these examples is divided by."""
        return float(len(examples))

    def cost(self, example: Example) -> int:
        """Tokens, and patches of pictures, that an example adds to a batch."""
        return sum(features.positions for features in example)

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """The summed loss, a scalar."""
        raise NotImplementedError

    def row_losses(self, outputs: Any, batch: Collated) -> torch.Tensor | None:
        """(rows,) each row's part of the loss, in the batch's order; None where the loss has no such parts."""
        return None

    def answers(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """What ``decode`` sees of the outputs, by name, of all rows in the batch's order: ``parts`` says what of it is whose. It is traced
        for exports, so it speaks of tensors alone. (rows, labels) logits here.
        """
        return {"logits": outputs.logits.float()}


def pad(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    """(rows, longest) int64."""
    padded = torch.full((len(rows), max(map(len, rows))), value, dtype=torch.long)
    for row, values in enumerate(rows):
        padded[row, : len(values)] = torch.tensor(values, dtype=torch.long)
    return padded
