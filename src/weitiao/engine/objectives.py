"""How a model learns, by name: which tensors a batch becomes, the loss as a sum, and the number of terms in it.

A loss is kept as a sum so that a step may be cut into micro-batches and still be normalised over the whole step. Objectives know no task
and no loop.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from weitiao.config import TrainingSettings, nearest
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.processing import Features


@dataclass(frozen=True)
class Collated:
    """A padded batch: model inputs, (rows, length) each, the targets, and the rows' true lengths in tokens, longest first."""

    inputs: dict[str, torch.Tensor]
    targets: Any
    lengths: list[int]


class Objective:
    """The interface. ``divisible`` says whether a step may be cut: a contrastive one may not."""

    divisible = True

    def collate(self, features: Sequence[Features], padding: dict[str, int]) -> Collated:
        """Rows, longest first, padded to the longest with ``padding[name]`` (0 where unnamed)."""
        lengths = [len(f) for f in features]
        inputs = {}
        for name in features[0].inputs:
            column = torch.full((len(features), lengths[0]), padding.get(name, 0), dtype=torch.long)
            for row, feature in enumerate(features):
                column[row, : lengths[row]] = torch.tensor(feature.inputs[name])
            inputs[name] = column  # (rows, length)
        return Collated(inputs, self.targets(features), lengths)

    def targets(self, features: Sequence[Features]) -> Any:
        """What the loss compares with; None when predicting."""
        return None

    def terms(self, features: Sequence[Features]) -> float:
        """What the loss of these features is divided by."""
        return float(len(features))

    def loss(self, outputs: Any, targets: Any) -> torch.Tensor:
        """The summed loss, a scalar."""
        raise NotImplementedError


class Classification(Objective):
    """Cross-entropy over one label a row, with label smoothing and class weights: sum(w * loss) / sum(w), as ``nn.CrossEntropyLoss``.

    Args:
        weights: (labels,) or None.
        smoothing: probability mass spread over all labels.
    """

    def __init__(self, weights: torch.Tensor | None = None, smoothing: float = 0.0) -> None:
        self.weights, self.smoothing = weights, smoothing

    @classmethod
    def of(cls, settings: TrainingSettings, features: Sequence[Features]) -> "Classification":
        """Balanced weights are rows / (labels * rows of the label), as scikit-learn's ``class_weight="balanced"``."""
        weights = None
        if settings.class_weights == "balanced":
            counts = Counter(f.target for f in features)
            weights = torch.tensor([len(features) / (len(counts) * max(counts[label], 1)) for label in range(max(counts) + 1)])
        return cls(weights, settings.label_smoothing)

    def targets(self, features: Sequence[Features]) -> torch.Tensor | None:
        """(rows,) label indices."""
        return None if features[0].target is None else torch.tensor([f.target for f in features])

    def terms(self, features: Sequence[Features]) -> float:
        """The rows' summed weights."""
        return float(len(features)) if self.weights is None else float(sum(self.weights[f.target] for f in features))

    def loss(self, outputs: Any, targets: torch.Tensor) -> torch.Tensor:
        """``outputs.logits``: (rows, labels); computed in fp32 whatever the forward pass ran in."""
        logits = outputs.logits.float()
        weights = None if self.weights is None else self.weights.to(logits.device)
        if weights is None or not self.smoothing:
            return F.cross_entropy(logits, targets, weight=weights, reduction="sum", label_smoothing=self.smoothing)
        # torch's own smoothing weighs the spread mass by every class's weight; here a row weighs as much as its label.
        return (weights[targets] * F.cross_entropy(logits, targets, reduction="none", label_smoothing=self.smoothing)).sum()


OBJECTIVES: dict[str, Any] = {"classification": Classification}


def objective_for(name: str, settings: TrainingSettings, features: Sequence[Features]) -> Objective:
    """The objective a task names, set up from the settings and the training features."""
    if name not in OBJECTIVES:
        message = _('There is no objective "{name}"; there are: {names}.').format(name=name, names=", ".join(OBJECTIVES))
        raise UsageError(message + nearest(name, list(OBJECTIVES)))
    objective: Objective = OBJECTIVES[name].of(settings, features)
    return objective
