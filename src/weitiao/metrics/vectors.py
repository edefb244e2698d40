"""How well vectors tell what belongs together: the order of their cosines, or what is found by them. Numpy only; knows no model or task."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weitiao.metrics.regression import regression_scores
from weitiao.metrics.resampling import mean_scores

_CHUNK = 1000  # rows that are compared with all others at a time
_SAME = 1e-6  # cosines nearer than this are equal, as those of a text that occurs twice are


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(rows,) cosines of two (rows, width) arrays, row by row; 0 where a vector is all zeros.

    >>> cosines(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0]])).tolist()
    [1.0]
    """
    together: np.ndarray = (unit(first) * unit(second)).sum(axis=1)
    return together


def ranks_of_pairs(first: np.ndarray, second: np.ndarray) -> list[int]:
    """How many of the second vectors are nearer to each first one than its own is: 0 where its own is found first.

    >>> ranks_of_pairs(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.9, 0.1], [1.0, 0.0]]))
    [1, 1]

    Args:
        first, second: (pairs, width).
    """
    first, second = unit(first), unit(second)
    ranks: list[int] = []
    for start in range(0, len(first), _CHUNK):
        near = first[start : start + _CHUNK] @ second.T  # (chunk, pairs)
        own = near[np.arange(len(near)), start + np.arange(len(near))]
        ranks += (near > own[:, None] + _SAME).sum(axis=1).tolist()
    return ranks


def similarity_scores(wanted: Sequence[float], similarities: Sequence[float]) -> dict[str, Any]:
    """Spearman's and Pearson's correlation of cosines with the scores that people gave, with intervals."""
    scores = regression_scores(wanted, similarities)
    kept = ("spearman", "pearson")
    return {part: {name: scores[part][name] for name in kept} for part in ("metrics", "intervals", "draws")}


def retrieval_scores(ranks: Sequence[int]) -> dict[str, Any]:
    """How often the right text is found first, and among the first five, with intervals.

    >>> retrieval_scores([0, 3, 9, 0])["metrics"]
    {'recall_at_1': 0.5, 'recall_at_5': 0.75}
    """
    return mean_scores({f"recall_at_{first}": [float(rank < first) for rank in ranks] for first in (1, 5)})


def unit(vectors: np.ndarray) -> np.ndarray:
    """(rows, width) vectors at length 1; all zeros stay as they are."""
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return scaled
