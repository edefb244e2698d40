"""One answer a row: a class, several classes, a number, or the best row of a group. Logits are (rows, labels)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from weitiao.config import TrainingSettings
from weitiao.engine.objectives.base import Collated, Example, Objective
from weitiao.engine.objectives.weighing import Weighed, cross_entropy
from weitiao.processing import Features


class Classification(Weighed):
    """Cross-entropy over one label a row, with label smoothing and class weights."""

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """(rows,) label indices."""
        return {"labels": torch.tensor([f.target for f in rows])}

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Summed over rows; logits are (rows, labels)."""
        return cross_entropy(outputs.logits, batch.targets["labels"], self.weights, self.smoothing)


class MultiLabel(Objective):
    """Binary cross-entropy of every label, averaged over labels and rows. A target is a list of 0 and 1, one a label.

    Args:
        priors: (labels,) how often each label is given in training, or None.
        weights: (labels,) how much more a given label counts than one that is not, or None.
        smoothing: how far 0 and 1 are drawn towards one half.
    """

    honours = ("class_weights", "label_smoothing")
    squash = "sigmoid"

    def __init__(self, priors: torch.Tensor | None = None, weights: torch.Tensor | None = None, smoothing: float = 0.0) -> None:
        self.priors, self.weights, self.smoothing = priors, weights, smoothing

    @classmethod
    def of(cls, settings: TrainingSettings, examples: Sequence[Example], spec: Mapping[str, Any]) -> "MultiLabel":
        """Balanced weights are, for each label, rows without it / rows with it."""
        if not examples:
            return cls()
        given = torch.tensor([f.target for example in examples for f in example], dtype=torch.float32)  # (rows, labels)
        priors = (given.sum(dim=0) + 0.5) / (len(given) + 1)
        return cls(priors, (1 - priors) / priors if settings.class_weights == "balanced" else None, settings.label_smoothing)

    def initial_bias(self) -> torch.Tensor | None:
        """The log-odds of the labels (balanced weights make them even). Most labels are rare: from one half each, a training spends its
        first epochs on learning to say no (Lin et al., 2017, section 3.3).
        """
        if self.priors is None or self.weights is not None:
            return None
        return torch.logit(self.priors)

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """(rows, labels) of 0 and 1."""
        return {"labels": torch.tensor([f.target for f in rows], dtype=torch.float32)}

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Summed over rows, averaged over labels."""
        logits = outputs.logits.float()  # (rows, labels)
        targets = batch.targets["labels"] * (1 - self.smoothing) + self.smoothing / 2
        weights = None if self.weights is None else self.weights.to(logits.device)
        return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="sum") / logits.shape[1]


class Regression(Objective):
    """Squared error of one number a row."""

    squash = ""

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """(rows,) numbers."""
        return {"labels": torch.tensor([f.target for f in rows], dtype=torch.float32)}

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Logits are (rows, 1)."""
        return F.mse_loss(outputs.logits.float()[:, 0], batch.targets["labels"], reduction="sum")


class Choice(Objective):
    """Which row of a group is the right one: softmax over the one logit of each of a record's rows. A target is 1 for the right row."""

    grouped = True
    squash = "rows"

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """(rows,) each row's group, and whether it is the right one."""
        return {"groups": torch.tensor(groups), "right": torch.tensor([bool(f.target) for f in rows])}

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """The negative log of the right row's share, summed over groups."""
        scores = outputs.logits.float().reshape(-1)  # (rows,)
        groups, right = batch.targets["groups"], batch.targets["right"]
        count = int(groups.max()) + 1
        # The largest score of each group is taken out first: the exponent of a large logit would overflow.
        largest = scores.new_full((count,), float("-inf")).scatter_reduce(0, groups, scores.detach(), "amax")
        sums = scores.new_zeros(count).index_add(0, groups, (scores - largest[groups]).exp())
        return (sums.log() + largest).sum() - scores[right].sum()

    def answers(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """(rows, 1) logits."""
        return {"logits": outputs.logits.float().reshape(-1, 1)}
