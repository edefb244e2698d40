"""Cross-entropy as the settings of a loss shape it: rare classes weighed up, some of the mass spread over the other classes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F

from weitiao.config import TrainingSettings
from weitiao.engine.objectives.base import Example, Objective
from weitiao.engine.objectives.unprojected import Unprojected


class Weighed(Objective):
    """Cross-entropy over labels, sum(w * loss) / sum(w) as ``nn.CrossEntropyLoss``; what is a label is the subclass's to say.

    Args:
        weights: (labels,) or None.
        smoothing: probability mass spread over all labels.
    """

    honours = ("class_weights", "label_smoothing")

    def __init__(self, weights: torch.Tensor | None = None, smoothing: float = 0.0) -> None:
        self.weights, self.smoothing = weights, smoothing

    @classmethod
    def of(cls, settings: TrainingSettings, examples: Sequence[Example], spec: Mapping[str, Any]) -> Self:
        """Balanced weights are those of ``balanced``, over all labels of the examples."""
        weigh = settings.class_weights == "balanced" and bool(examples)
        return cls(balanced(cls.labels(examples)) if weigh else None, settings.label_smoothing)

    @staticmethod
    def labels(examples: Sequence[Example]) -> Iterator[int]:
        """Every label that is to be learned from the examples."""
        return (f.target for example in examples for f in example)

    def terms(self, examples: Sequence[Example]) -> float:
        """How many labels there are, or their summed weights."""
        if self.weights is None:
            return float(max(1, sum(1 for _label in self.labels(examples))))
        return float(sum(self.weights[label] for label in self.labels(examples))) or 1.0


def balanced(targets: Iterable[int]) -> torch.Tensor:
    """(classes,) all targets / (classes * targets of the class), as scikit-learn's ``class_weight="balanced"``.

    >>> balanced([0, 0, 0, 1]).tolist()
    [0.6666666865348816, 2.0]
    """
    counts = Counter(targets)
    return torch.tensor([counts.total() / (len(counts) * max(counts[label], 1)) for label in range(max(counts) + 1)])


def cross_entropy(
    logits: torch.Tensor | Unprojected, targets: torch.Tensor, weights: torch.Tensor | None = None, smoothing: float = 0.0
) -> torch.Tensor:
    """Summed over rows, computed in fp32 whatever the forward pass ran in.

    Args:
        logits, targets: (rows, classes), (rows,) class indices. Unprojected logits have no weights.
        weights: (classes,) of those that training has seen; what stands behind them counts 1.
        smoothing: probability mass spread over all classes.
    """
    if isinstance(logits, Unprojected):
        return logits.cross_entropy(targets, smoothing)
    logits = logits.float()
    if weights is None:
        return F.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    weights = F.pad(weights, (0, logits.shape[-1] - len(weights)), value=1.0).to(logits.device)
    # torch's own smoothing weighs the spread mass by every class's weight; here a row weighs as much as its label.
    return (weights[targets] * F.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)).sum()
