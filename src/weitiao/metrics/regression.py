"""Every figure for numbers, as scipy and scikit-learn define it, with intervals. Numpy only; knows no model, task or file."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.metrics.resampling import CHUNK, interval, resamples

_POINTS = 2000  # of a residual plot


def regression_scores(truth: Sequence[float], predicted: Sequence[float]) -> dict[str, Any]:
    """Every figure for one number a row.

    >>> scores = regression_scores([1, 2, 3, 4], [1.5, 2, 3, 3.5])["metrics"]
    >>> {name: round(value, 3) for name, value in scores.items()}
    {'pearson': 0.99, 'spearman': 1.0, 'mae': 0.25, 'rmse': 0.354, 'r2': 0.9}

    Args:
        truth, predicted: (rows,) numbers in the same unit.

    Returns:
        ``metrics``: pearson and spearman (0 where either side is constant: nothing goes together with what does not move), mae, rmse, r2
        (where truth is constant, 1 if every prediction hits it and 0 otherwise); ``intervals``: their 95% bootstrap percentile intervals,
        and ``draws``, the resampled values behind them; ``residuals``: {"points": [[truth, predicted], ...]}, evenly spaced rows of many.

    Raises:
        DataError: there are no rows.
    """
    if not len(truth):
        raise DataError(_("There are no rows to evaluate on. Give a file with labelled rows."))
    x, y = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)  # (rows,)
    ranks = [np.unique(values, return_inverse=True)[1] for values in (x, y)]  # dense ranks from 0
    draws: dict[str, list[float]] = {}
    most = max(1, CHUNK // len(x) // 4)
    for chunk in resamples(len(x)):  # (resamples, rows)
        for start in range(0, len(chunk), most):
            for name, values in _figures(x, y, ranks, chunk[start : start + most]).items():
                draws.setdefault(name, []).extend(values.tolist())
    whole = _figures(x, y, ranks, np.arange(len(x))[None])
    shown = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).astype(np.int64))
    return {
        "metrics": {name: float(values[0]) for name, values in whole.items()},
        "intervals": {name: interval(values) for name, values in draws.items()},
        "draws": draws,
        "residuals": {"points": np.stack([x[shown], y[shown]], axis=1).tolist()},
    }


def _figures(x: np.ndarray, y: np.ndarray, ranks: Sequence[np.ndarray], drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Every figure of every resample, each (resamples,), from row indices (resamples, rows)."""
    true, predicted = x[drawn], y[drawn]  # (resamples, rows)
    errors = true - predicted
    squares = (errors**2).mean(axis=1)
    variance = true.var(axis=1)
    constant = true.max(axis=1) == true.min(axis=1)
    missed = np.divide(squares, variance, out=(squares > 0).astype(np.float64), where=~constant & (variance > 0))
    return {
        "pearson": _correlation(true, predicted),
        "spearman": _correlation(*(_mean_ranks(rank[drawn]) for rank in ranks)),
        "mae": np.abs(errors).mean(axis=1),
        "rmse": np.sqrt(squares),
        "r2": 1 - missed,
    }


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(resamples,) Pearson correlations of rows (resamples, rows), 0 where either is constant."""
    moves = (a.max(axis=1) > a.min(axis=1)) & (b.max(axis=1) > b.min(axis=1))
    a, b = (values - values.mean(axis=1, keepdims=True) for values in (a, b))
    # Each to length 1 before they are multiplied: of values near the ends of float64, products would be lost.
    lengths = [np.linalg.norm(values, axis=1, keepdims=True) for values in (a, b)]
    moves &= (lengths[0][:, 0] > 0) & (lengths[1][:, 0] > 0)
    units = [np.divide(values, length, out=np.zeros_like(values), where=length > 0) for values, length in zip((a, b), lengths, strict=True)]
    return np.where(moves, np.clip((units[0] * units[1]).sum(axis=1), -1.0, 1.0), 0.0)


def _mean_ranks(ranks: np.ndarray) -> np.ndarray:
    """Ranks of each resample's values among themselves, equal ones sharing the mean of theirs: (resamples, rows) from dense ranks."""
    size = int(ranks.max()) + 1
    shifted = ranks + np.arange(len(ranks))[:, None] * size
    counts = np.bincount(shifted.ravel(), minlength=len(ranks) * size).reshape(len(ranks), size)
    middle = counts.cumsum(axis=1) - (counts - 1) / 2
    mean: np.ndarray = middle.ravel()[shifted]
    return mean
