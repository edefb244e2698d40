"""Every figure for several labels a row, as scikit-learn defines it, with intervals. Numpy only; knows no model, task or file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.metrics.resampling import CHUNK, interval, ratio, resamples

_HEADLINES = ("f1_micro", "f1_macro", "f1_weighted", "subset_accuracy")


def multi_label_scores(truth: Sequence[Sequence[str]], predictions: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    """Every figure for multi-label classification.

    >>> answers = [{"labels": ["a"], "probabilities": {"a": 0.9, "b": 0.4}}, {"labels": [], "probabilities": {"a": 0.1, "b": 0.2}}]
    >>> scores = multi_label_scores([["a", "b"], []], answers, ["a", "b"])
    >>> round(scores["metrics"]["f1_micro"], 3), scores["metrics"]["subset_accuracy"]
    (0.667, 0.5)

    Args:
        truth: the true labels of each row. Those that are not in ``labels`` (never seen in training) can only be missed: each counts as
            a class of its own, after the known ones.
        predictions: {"labels": those given, "probabilities": {label: probability}} for each row.
        labels: the labels the model knows, in their fixed order.

    Returns:
        ``metrics``: f1_micro, f1_macro (over the labels that occur in truth or predictions), f1_weighted, subset_accuracy (all labels of a
        row right), average_precision (mean over the known labels that some row has, left out where none has any),
        average_precision_micro (all labels in one ranking; 0 where nothing is right) and log_loss (binary, over rows and known labels);
        ``intervals``: 95% bootstrap percentile intervals of the first four, and ``draws``, the resampled values behind them; ``per_class``.

    Raises:
        DataError: there are no rows.
    """
    if not truth:
        raise DataError(_("There are no rows to evaluate on. Give a file with labelled rows."))
    classes = [*labels, *sorted({label for row in truth for label in row}.difference(labels))]
    true, given = indicator(truth, classes), indicator([p["labels"] for p in predictions], classes)  # (rows, classes)
    sums = _Sums((true & given).sum(axis=0)[None], given.sum(axis=0)[None], true.sum(axis=0)[None])
    right = (true == given).all(axis=1)  # (rows,)
    metrics = {name: float(values[0]) for name, values in sums.headlines().items()} | {"subset_accuracy": float(right.mean())}
    probabilities = probability_matrix(predictions, labels)
    known = true[:, : len(labels)]
    if known.any():
        there = known.any(axis=0)
        metrics["average_precision"] = float(
            np.mean([average_precision(probabilities[:, at], known[:, at]) for at in np.flatnonzero(there)])
        )
    # A training is judged by it, so it is always there: few validation rows may well have no label.
    metrics["average_precision_micro"] = average_precision(probabilities.ravel(), known.ravel())
    # As scikit-learn: a probability of zero counts as the smallest step of float64.
    likelihoods = np.where(known, probabilities, 1 - probabilities)
    metrics["log_loss"] = float(-np.log(np.clip(likelihoods, np.finfo(np.float64).eps, 1.0)).mean())
    draws = _draws(true, given, right)
    precision, recall, f1 = (figure[0] for figure in sums.per_class())
    return {
        "metrics": metrics,
        "intervals": {name: interval(values) for name, values in draws.items()},
        "draws": draws,
        "per_class": [
            {
                "label": label,
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(sums.true[0, i]),
                "predicted": int(sums.given[0, i]),
            }
            for i, label in enumerate(classes)
        ],
    }


def indicator(rows: Sequence[Sequence[str]], labels: Sequence[str]) -> np.ndarray:
    """(rows, labels) truth values: which labels each row has; other labels are left out."""
    index = {label: at for at, label in enumerate(labels)}
    matrix = np.zeros((len(rows), len(labels)), dtype=bool)
    for at, row in enumerate(rows):
        matrix[at, [index[label] for label in row if label in index]] = True
    return matrix


def probability_matrix(predictions: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> np.ndarray:
    """(rows, labels) probabilities out of predictions."""
    return np.array([[p["probabilities"][label] for label in labels] for p in predictions], dtype=np.float64).reshape(-1, len(labels))


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Precision averaged over the right ones, going down the ranking; equal scores come in together. Both (rows,); 0 where none is right.

    >>> average_precision(np.array([0.9, 0.8, 0.1]), np.array([True, False, True])) == (1 / 1 + 2 / 3) / 2
    True
    """
    if not truth.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # last place of each run of equal scores
    right = np.cumsum(truth[order])[ends]
    gained = np.diff(right, prepend=0)
    return float((gained * right / (ends + 1)).sum() / truth.sum())


class _Sums:
    """Right, given and true labels of each class, each (resamples, classes)."""

    def __init__(self, right: np.ndarray, given: np.ndarray, true: np.ndarray) -> None:
        self.right, self.given, self.true = right, given, true

    def per_class(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Precision, recall and F1, each (resamples, classes). 0 / 0 is 0."""
        return ratio(self.right, self.given), ratio(self.right, self.true), ratio(2 * self.right, self.given + self.true)

    def headlines(self) -> dict[str, np.ndarray]:
        """The figures of ``_HEADLINES`` that are made of sums, each (resamples,)."""
        f1, there = self.per_class()[2], (self.given + self.true) > 0
        return {
            "f1_micro": ratio(2 * self.right.sum(axis=1), (self.given + self.true).sum(axis=1)),
            "f1_macro": ratio(f1.sum(axis=1), there.sum(axis=1)),
            "f1_weighted": ratio((f1 * self.true).sum(axis=1), self.true.sum(axis=1)),
        }


def _draws(true: np.ndarray, given: np.ndarray, right: np.ndarray) -> dict[str, list[float]]:
    """Each headline figure in each resample: how often a row was drawn, times what it adds."""
    draws: dict[str, list[float]] = {name: [] for name in _HEADLINES}
    parts = [part.astype(np.float32) for part in (true & given, given, true)]
    rows, most = len(true), max(1, CHUNK // len(true))
    for chunk in resamples(rows):  # (resamples, rows)
        for start in range(0, len(chunk), most):
            drawn = chunk[start : start + most] + np.arange(len(chunk[start : start + most]))[:, None] * rows
            times = np.bincount(drawn.ravel(), minlength=len(drawn) * rows).reshape(len(drawn), rows).astype(np.float32)
            for name, values in _Sums(*(times @ part for part in parts)).headlines().items():
                draws[name] += values.tolist()
            draws["subset_accuracy"] += (times @ right.astype(np.float32) / rows).tolist()
    return draws
