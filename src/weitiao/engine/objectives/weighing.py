"""Cross-entropy as the settings of a loss shape it: rare classes weighed up, some of the mass spread over the other classes."""

from collections import Counter
from collections.abc import Iterable

import torch
import torch.nn.functional as F


def balanced(targets: Iterable[int]) -> torch.Tensor:
    """(classes,) all targets / (classes * targets of the class), as scikit-learn's ``class_weight="balanced"``.

    >>> balanced([0, 0, 0, 1]).tolist()
    [0.6666666865348816, 2.0]
    """
    counts = Counter(targets)
    return torch.tensor([counts.total() / (len(counts) * max(counts[label], 1)) for label in range(max(counts) + 1)])


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None, smoothing: float = 0.0) -> torch.Tensor:
    """Summed over rows, computed in fp32 whatever the forward pass ran in.

    Args:
        logits, targets: (rows, classes), (rows,) class indices.
        weights: (classes,) of those that training has seen; what stands behind them counts 1.
        smoothing: probability mass spread over all classes.
    """
    logits = logits.float()
    if weights is None:
        return F.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    weights = F.pad(weights, (0, logits.shape[-1] - len(weights)), value=1.0).to(logits.device)
    # torch's own smoothing weighs the spread mass by every class's weight; here a row weighs as much as its label.
    return (weights[targets] * F.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)).sum()
