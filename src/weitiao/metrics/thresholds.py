"""From which probability on a label is given: one threshold for all labels, or one for each, chosen for micro F1. Numpy only.

On few rows a threshold of its own for every label mostly fits noise, so folds of the rows decide between the two.
"""

from typing import Any

import numpy as np

_FOLDS = 5
_NEVER = 2.0  # no probability reaches it
_SEED = 20130814


def choose_thresholds(probabilities: np.ndarray, truth: np.ndarray) -> tuple[float | list[float], dict[str, Any]]:
    """The thresholds to use, and how the choice was made.

    >>> choose_thresholds(np.array([[0.9, 0.4], [0.2, 0.3], [0.1, 0.1], [0.7, 0.2]]), np.array([[1, 1], [0, 0], [0, 0], [1, 0]]))[0]
    0.35

    Args:
        probabilities: (rows, labels).
        truth: (rows, labels) of 0 and 1.

    Returns:
        One number, or one a label (2 where a label is best never given); and {"kind": "one" or "per_label", "cross_validated_f1_micro":
        {kind: value}, "rows": rows}. Fewer than 50 rows are too few to choose by, and get one threshold.
    """
    truth = truth.astype(bool)
    chosen: dict[str, Any] = {"kind": "one", "rows": len(truth)}
    if len(truth) >= 10 * _FOLDS:
        fold_of = np.random.default_rng(_SEED).permutation(len(truth)) % _FOLDS  # (rows,)
        values = {kind: _cross_validated(find, probabilities, truth, fold_of) for kind, find in _WAYS.items()}
        chosen |= {"cross_validated_f1_micro": values, "kind": "per_label" if values["per_label"] > values["one"] else "one"}
    thresholds = _WAYS[chosen["kind"]](probabilities, truth)
    return (thresholds.tolist() if chosen["kind"] == "per_label" else float(thresholds)), chosen


def one_threshold(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """() the threshold with the best micro F1 over all labels; 0.5 where no label is ever right."""
    scores, right = _descending(probabilities.ravel(), truth.ravel())
    given = np.arange(1, len(scores) + 1)
    f1 = 2 * right / (given + truth.sum())
    return _cut(scores, np.where(_borders(scores), f1, -1.0)) if truth.any() else np.asarray(0.5)


def threshold_per_label(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(labels,) the thresholds that together have the best micro F1.

    Micro F1 is a ratio of two sums over labels, so it is best where every label on its own has the largest 2 * right - F * given, F being
    the F1 that comes of it (Dinkelbach, 1967): from the one threshold's F a few rounds reach it.
    """
    thresholds = np.full(truth.shape[1], float(one_threshold(probabilities, truth)))
    ranked = [_descending(column, right) for column, right in zip(probabilities.T, truth.T, strict=True)]
    best = f1_micro(probabilities >= thresholds, truth)
    while True:
        better = np.array([_cut_or_never(scores, right, best) for scores, right in ranked])
        value = f1_micro(probabilities >= better, truth)
        if value <= best + 1e-12:
            return thresholds
        thresholds, best = better, value


def f1_micro(given: np.ndarray, truth: np.ndarray) -> float:
    """2 * right / (given + true) over all labels of all rows, both (rows, labels) of truth values; 0 where there is nothing."""
    total = int(given.sum() + truth.sum())
    return 2 * int((given & truth).sum()) / total if total else 0.0


_WAYS = {"one": one_threshold, "per_label": threshold_per_label}


def _cross_validated(find: Any, probabilities: np.ndarray, truth: np.ndarray, fold_of: np.ndarray) -> float:
    """Micro F1 of all rows, each decided by thresholds that were found without its fold."""
    given = np.zeros_like(truth)
    for fold in range(_FOLDS):
        held = fold_of == fold
        given[held] = probabilities[held] >= find(probabilities[~held], truth[~held])
    return f1_micro(given, truth)


def _descending(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores from the highest, and how many of those so far are right."""
    order = np.argsort(-scores, kind="stable")
    return scores[order], np.cumsum(truth[order])


def _borders(scores: np.ndarray) -> np.ndarray:
    """Where a threshold can be put below a score: not between equal ones."""
    return np.append(scores[:-1] > scores[1:], True)


def _cut(scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """() halfway between the score that is best to stop after and the next."""
    at = int(values.argmax())
    below = scores[at + 1] if at + 1 < len(scores) else 0.0
    return (scores[at] + below) / 2


def _cut_or_never(scores: np.ndarray, right: np.ndarray, factor: float) -> float:
    """A label's threshold with the largest 2 * right - factor * given; where nothing is gained by giving it, ``_NEVER``."""
    gains = np.where(_borders(scores), 2 * right - factor * np.arange(1, len(scores) + 1), -np.inf)
    return float(_cut(scores, gains)) if gains.max() > 0 else _NEVER
