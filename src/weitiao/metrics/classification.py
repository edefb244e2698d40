"""Every figure for single-label classification, as scikit-learn defines it, with intervals. Numpy only; knows no model, task or file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.metrics.resampling import CHUNK, interval, ratio, resamples

BINS = 15
HEADLINES = ("accuracy", "f1_macro", "f1_weighted", "balanced_accuracy")


def classification_scores(truth: Sequence[str], predictions: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    """Every figure for single-label classification, defined as scikit-learn defines it.

    Args:
        truth: the true label of each row. One that is not in ``labels`` (never seen in training) can only be answered wrongly: it counts
            as a class of its own, after the known ones.
        predictions: {"label", "score", "probabilities": {label: probability}} for each row.
        labels: the labels the model knows, in their fixed order.

    Returns:
        ``metrics``: accuracy, balanced_accuracy, f1_macro (over the labels that occur in truth or predictions), f1_weighted, mcc, log_loss
        (over rows whose label is known, ``log_loss_rows`` of them; left out where there are none), ece (Guo et al. 2017: top-label
        confidence, 15 bins of equal width);
        ``intervals``: 95% bootstrap percentile intervals of four of them, and ``draws``, the resampled values behind them;
        ``per_class``, ``confusion_matrix`` (rows true, columns predicted), ``calibration`` (bins that are not empty).

    Raises:
        DataError: there are no rows.

    >>> answers = [{"label": "a", "score": 0.9, "probabilities": {"a": 0.9, "b": 0.1}}] * 3
    >>> scores = classification_scores(["a", "a", "b"], answers, ["a", "b"])
    >>> round(scores["metrics"]["accuracy"], 3), scores["confusion_matrix"]["matrix"]
    (0.667, [[2, 0], [1, 0]])
    """
    if not truth:
        raise DataError(_("There are no rows to evaluate on. Give a file with labelled rows."))
    answers = [p["label"] for p in predictions]
    classes = [*labels, *sorted({*truth, *answers}.difference(labels))]
    index = {label: i for i, label in enumerate(classes)}
    true = np.fromiter((index[label] for label in truth), np.int64, len(truth))  # (rows,)
    answered = np.fromiter((index[label] for label in answers), np.int64, len(truth))  # (rows,)

    cells, cell_of_row = np.unique(true * len(classes) + answered, return_inverse=True)  # (cells,), (rows,)
    table = _Cells(cells // len(classes), cells % len(classes), len(classes))
    counts = np.bincount(cell_of_row, minlength=len(cells))[None]  # (1, cells)
    draws = _draws(table, cell_of_row, len(cells))
    precision, recall, f1, support, predicted = (figure[0] for figure in table.per_class(counts))  # each (classes,)
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    matrix[table.true, table.answered] = counts[0]

    metrics = {name: float(values[0]) for name, values in table.headlines(counts).items()}
    metrics["mcc"] = _matthews(matrix)
    known = set(labels)
    likelihoods = [p["probabilities"].get(t, 0.0) for t, p in zip(truth, predictions, strict=True) if t in known]
    if likelihoods:
        # As scikit-learn: a probability of zero counts as the smallest step of float64.
        metrics["log_loss"] = float(-np.log(np.clip(likelihoods, np.finfo(np.float64).eps, 1.0)).mean())
    confidence = np.fromiter((p["score"] for p in predictions), np.float64, len(truth))  # (rows,)
    calibration = _calibration(confidence, true == answered)
    metrics["ece"] = sum(b["count"] * abs(b["accuracy"] - b["confidence"]) for b in calibration) / len(truth)
    return {
        "metrics": metrics,
        "intervals": {name: interval(values) for name, values in draws.items()},
        "draws": draws,
        "log_loss_rows": len(likelihoods),
        "per_class": [
            {
                "label": label,
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
                "predicted": int(predicted[i]),
            }
            for i, label in enumerate(classes)
        ],
        "confusion_matrix": {"labels": classes, "matrix": matrix.tolist()},
        "calibration": calibration,
    }


class _Cells:
    """The cells of a confusion matrix that are not empty, so that a thousand resamples of a hundred classes stay small.

    Attributes:
        true, answered: (cells,) class indices, sorted by ``true``, then ``answered``.
    """

    def __init__(self, true: np.ndarray, answered: np.ndarray, classes: int) -> None:
        self.true, self.answered, self.classes = true, answered, classes
        self._by_answer = np.argsort(answered, kind="stable")
        self._right = np.flatnonzero(true == answered)

    def per_class(self, counts: np.ndarray) -> tuple[np.ndarray, ...]:
        """Precision, recall, F1, support and times predicted, each (resamples, classes), from counts (resamples, cells). 0 / 0 is 0."""
        support = self._sums(counts, self.true)
        predicted = self._sums(counts[:, self._by_answer], self.answered[self._by_answer])
        right = np.zeros_like(support)
        right[:, self.true[self._right]] = counts[:, self._right]
        return ratio(right, predicted), ratio(right, support), ratio(2 * right, support + predicted), support, predicted

    def headlines(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """The figures of ``HEADLINES``, each (resamples,), from counts (resamples, cells)."""
        _precision, recall, f1, support, predicted = self.per_class(counts)
        rows = counts.sum(axis=1)
        there = support > 0
        return {
            "accuracy": counts[:, self._right].sum(axis=1) / rows,
            "f1_macro": f1.sum(axis=1) / (there | (predicted > 0)).sum(axis=1),
            "f1_weighted": (f1 * support).sum(axis=1) / rows,
            "balanced_accuracy": recall.sum(axis=1) / there.sum(axis=1),
        }

    def _sums(self, counts: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Counts (resamples, cells) summed by sorted ``groups`` (cells,) -> (resamples, classes)."""
        sums = np.zeros((len(counts), self.classes), np.int64)
        present, starts = np.unique(groups, return_index=True)
        sums[:, present] = np.add.reduceat(counts, starts, axis=1)
        return sums


def _draws(table: _Cells, cell_of_row: np.ndarray, cells: int) -> dict[str, list[float]]:
    """Each headline figure in each resample."""
    draws: dict[str, list[float]] = {name: [] for name in HEADLINES}
    most = max(1, CHUNK // max(cells, table.classes))
    for chunk in resamples(len(cell_of_row)):  # (resamples, rows)
        for start in range(0, len(chunk), most):
            drawn = cell_of_row[chunk[start : start + most]]  # (resamples, rows): each row's cell
            drawn += np.arange(len(drawn))[:, None] * cells
            counts = np.bincount(drawn.ravel(), minlength=len(drawn) * cells).reshape(len(drawn), cells)
            for name, values in table.headlines(counts).items():
                draws[name].extend(values.tolist())
    return draws


def _matthews(matrix: np.ndarray) -> float:
    """Matthews' correlation for many classes (Gorodkin 2004), 0 where truth or answers are all the same."""
    counts = matrix.astype(np.float64)
    support, predicted, rows = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    spread = (rows**2 - (predicted**2).sum()) * (rows**2 - (support**2).sum())
    return float((np.trace(counts) * rows - support @ predicted) / np.sqrt(spread)) if spread > 0 else 0.0


def _calibration(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """The reliability diagram's bins (low, high] that hold rows: their count, mean confidence and accuracy."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)  # (rows,)
    counts = np.bincount(bins, minlength=BINS)
    sums = np.bincount(bins, weights=confidence, minlength=BINS)
    hits = np.bincount(bins, weights=right, minlength=BINS)
    return [
        {
            "low": float(edges[i]),
            "high": float(edges[i + 1]),
            "count": int(counts[i]),
            "confidence": float(sums[i] / counts[i]),
            "accuracy": float(hits[i] / counts[i]),
        }
        for i in np.flatnonzero(counts)
    ]
