"""The bootstrap: how sure a figure is. Every call with the same number of rows draws the same resamples, so the draws of a model and of its
baselines are paired, and their differences are what ``comparing.compare`` judges by.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

RESAMPLES = 1000
CHUNK = 4_000_000  # numbers held at once while resampling: 32 MB
_SEED = 20170706


def resamples(rows: int) -> Iterator[np.ndarray]:
    """Row indices of the bootstrap's resamples, in chunks of shape (resamples, rows): the same ones for the same number of rows."""
    random = np.random.default_rng(_SEED)
    chunk = max(1, min(RESAMPLES, CHUNK // max(rows, 1)))
    for start in range(0, RESAMPLES, chunk):
        yield random.integers(0, rows, size=(min(chunk, RESAMPLES - start), rows), dtype=np.int32)


def interval(draws: Sequence[float] | np.ndarray) -> list[float]:
    """The 95% percentile interval, [low, high], of a bootstrap's draws."""
    low, high = np.percentile(np.asarray(draws, dtype=np.float64), [2.5, 97.5])
    return [float(low), float(high)]


def mean_scores(values: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Figures that are the mean of one number a row, with intervals and draws.

    >>> mean_scores({"exact_match": [1.0, 0.0, 1.0, 1.0]})["metrics"]
    {'exact_match': 0.75}

    Args:
        values: metric -> (rows,) its value on each row; the same rows for all.

    Returns:
        {"metrics", "intervals", "draws"} as a task's ``score`` gives them.
    """
    columns = {name: np.asarray(rows, dtype=np.float64) for name, rows in values.items()}
    size = len(next(iter(columns.values())))
    draws: dict[str, list[float]] = {name: [] for name in columns}
    for chunk in resamples(size):  # (resamples, rows)
        for name, rows in columns.items():
            draws[name] += rows[chunk].mean(axis=1).tolist()
    return {
        "metrics": {name: float(rows.mean()) for name, rows in columns.items()},
        "intervals": {name: interval(values) for name, values in draws.items()},
        "draws": draws,
    }


def ratio_scores(values: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> dict[str, Any]:
    """Figures that are a sum over rows divided by another: (above, below) of each row. F1 is 2 * right / (predicted + true).

    >>> ratio_scores({"f1": ([2, 0], [2, 2])})["metrics"]
    {'f1': 0.5}

    Returns:
        As ``mean_scores``; 0 where the sum below is 0.
    """
    columns = {name: tuple(np.asarray(part, dtype=np.float64) for part in parts) for name, parts in values.items()}
    size = len(next(iter(columns.values()))[0])
    draws: dict[str, list[float]] = {name: [] for name in columns}
    for chunk in resamples(size):
        for name, (above, below) in columns.items():
            draws[name] += ratio(above[chunk].sum(axis=1), below[chunk].sum(axis=1)).tolist()
    return {
        "metrics": {name: float(ratio(above.sum(), below.sum())) for name, (above, below) in columns.items()},
        "intervals": {name: interval(values) for name, values in draws.items()},
        "draws": draws,
    }


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The quotient, element by element, and 0 where there is nothing below."""
    above, below = np.asarray(above), np.asarray(below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)
