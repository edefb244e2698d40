"""Predictions and references become numbers with intervals, and an honest sentence about them. Numpy only; knows no model, task or file.

    classification_scores(truth, predictions, labels) -> {"metrics", "intervals", "draws", "per_class", "confusion_matrix", "calibration"}
    compare(scores, {"majority": scores, ...}, metric, direction) -> the same without "draws", plus "baselines" and "verdict"

``draws`` are the bootstrap's values of each headline figure, one a resample. Every call with the same number of rows draws the same
resamples, so the draws of a model and of its baselines are paired, and their differences are what ``compare`` judges by. Any task's
``score`` can take part: give ``draws`` made from ``resamples``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from weitiao.errors import DataError
from weitiao.messages import N_, _

RESAMPLES = 1000
BINS = 15
HEADLINES = ("accuracy", "f1_macro", "f1_weighted", "balanced_accuracy")
_SEED = 20170706
_CHUNK = 4_000_000  # numbers held at once while resampling: 32 MB

TITLES = {
    "accuracy": N_("accuracy"),
    "balanced_accuracy": N_("balanced accuracy"),
    "f1_macro": N_("macro F1"),
    "f1_weighted": N_("weighted F1"),
    "mcc": N_("Matthews correlation"),
    "log_loss": N_("log loss"),
    "ece": N_("calibration error"),
    "loss": N_("loss"),
    "majority": N_("most frequent label"),
    "tfidf_logistic_regression": N_("TF-IDF + logistic regression"),
}


def title(name: str) -> str:
    """What people call a metric or a baseline, in the language in force; a name that is not known stays as it is.

    >>> title("f1_macro"), title("rouge")
    ('macro F1', 'rouge')
    """
    return _(TITLES.get(name, name))


def resamples(rows: int) -> Iterator[np.ndarray]:
    """Row indices of the bootstrap's resamples, in chunks of shape (resamples, rows): the same ones for the same number of rows."""
    random = np.random.default_rng(_SEED)
    chunk = max(1, min(RESAMPLES, _CHUNK // max(rows, 1)))
    for start in range(0, RESAMPLES, chunk):
        yield random.integers(0, rows, size=(min(chunk, RESAMPLES - start), rows), dtype=np.int32)


def interval(draws: Sequence[float] | np.ndarray) -> list[float]:
    """The 95% percentile interval, [low, high], of a bootstrap's draws."""
    low, high = np.percentile(np.asarray(draws, dtype=np.float64), [2.5, 97.5])
    return [float(low), float(high)]


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


def compare(
    scores: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]], metric: str, direction: Literal["max", "min"] = "max"
) -> dict[str, Any]:
    """A model's scores beside those of its baselines on the same rows, with a verdict.

    Args:
        scores, baselines: what a task's ``score`` gives for the model and for each baseline: ``metrics``, ``intervals`` and, for the
            verdict's certainty, ``draws``.
        metric, direction: the headline figure and which way is better (a ``Headline`` unpacks into them).

    Returns:
        ``scores`` without ``draws``, plus ``baselines`` {name: {"metrics", "intervals"}} and ``verdict``: ``beats_baselines`` (None where
        there is nothing to compare with), ``best_baseline``, ``difference`` (above zero where the model is better, whichever way the
        metric points), ``interval`` of the difference (None where there are no draws), ``clear`` (that interval leaves zero out), ``text``.

    >>> result = compare({"metrics": {"f1_macro": 0.893}}, {"tfidf_logistic_regression": {"metrics": {"f1_macro": 0.905}}}, "f1_macro")
    >>> result["verdict"]["beats_baselines"], round(result["verdict"]["difference"], 3)
    (False, -0.012)
    """
    sign = 1.0 if direction == "max" else -1.0
    shown = {name: {key: dict(b[key]) for key in ("metrics", "intervals") if key in b} for name, b in baselines.items()}
    result = {key: value for key, value in scores.items() if key != "draws"} | {"baselines": shown}
    rivals = {name: b["metrics"][metric] for name, b in baselines.items() if b["metrics"].get(metric) is not None}
    value = scores["metrics"].get(metric)
    if value is None or not rivals:
        text = _("There is no baseline to compare with.")
        verdict = {"beats_baselines": None, "best_baseline": None, "difference": None, "interval": None, "clear": None, "text": text}
        return result | {"verdict": verdict}
    best = max(rivals, key=lambda name: sign * rivals[name])
    difference = sign * (value - rivals[best])
    draws = [each.get("draws", {}).get(metric) for each in (scores, baselines[best])]
    bounds = None if None in draws else interval(sign * (np.asarray(draws[0]) - np.asarray(draws[1])))
    clear = None if bounds is None else bounds[0] > 0 or bounds[1] < 0
    text = _sentence(metric, value, best, rivals[best], difference > 0, bounds, clear)
    return result | {
        "verdict": {
            "beats_baselines": difference > 0,
            "best_baseline": best,
            "difference": difference,
            "interval": bounds,
            "clear": clear,
            "text": text,
        }
    }


def _sentence(metric: str, value: float, best: str, rival: float, wins: bool, bounds: list[float] | None, clear: bool | None) -> str:
    if wins and clear:
        text = _(
            "This model reaches {value} {metric}; the best simple baseline ({baseline}) {rival}. The difference is clear: {low} to {high}."
        )
    elif wins and bounds:
        text = _(
            "This model reaches {value} {metric}; the best simple baseline ({baseline}) {rival}. That is within noise ({low} to {high}): "
            "more test rows would tell them apart."
        )
    elif wins:
        text = _("This model reaches {value} {metric}; the best simple baseline ({baseline}) {rival}.")
    elif clear:
        text = _(
            "The simple baseline ({baseline}) reaches {rival} {metric}, this model only {value}: use the baseline, or train "
            "with more data, more epochs or a better base model."
        )
    else:
        text = _(
            "The simple baseline ({baseline}) is as good or better: it reaches {rival} {metric}, this model {value}. Use the baseline, "
            "or train with more data, more epochs or a better base model."
        )
    low, high = (f"{bound:+.3f}" for bound in bounds or (0, 0))
    return text.format(metric=title(metric), value=f"{value:.3f}", baseline=title(best), rival=f"{rival:.3f}", low=low, high=high)


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
        return _ratio(right, predicted), _ratio(right, support), _ratio(2 * right, support + predicted), support, predicted

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


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)


def _draws(table: _Cells, cell_of_row: np.ndarray, cells: int) -> dict[str, list[float]]:
    """Each headline figure in each resample."""
    draws: dict[str, list[float]] = {name: [] for name in HEADLINES}
    most = max(1, _CHUNK // max(cells, table.classes))
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
