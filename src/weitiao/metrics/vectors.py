"""How well vectors tell what belongs together: the order of their cosines, or what is found by them. Numpy only; knows no model or task."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from weitiao.metrics.regression import regression_scores
from weitiao.metrics.resampling import mean_scores

_CHUNK = 1000  # rows that are compared with all others at a time
_SAME = 1e-6  # cosines nearer than this are equal, as those of a text that occurs twice are


class Rank(NamedTuple):
    """Where a pair's own second text stands among all of them.

    Attributes:
        nearer: how many are nearer to the first one.
        as_near: how many other texts are just as near. The same text in another row is none: whichever is found, it is the right one.
    """

    nearer: int
    as_near: int = 0


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(rows,) cosines of two (rows, width) arrays, row by row; 0 where a vector is all zeros.

    >>> cosines(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0]])).tolist()
    [1.0]
    """
    together: np.ndarray = (unit(first) * unit(second)).sum(axis=1)
    return together


def ranks_of_pairs(first: np.ndarray, second: np.ndarray, texts: Sequence[str]) -> list[Rank]:
    """How many of the second vectors are nearer to each first one than its own is, and how many as near.

    >>> ranks_of_pairs(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.9, 0.1], [1.0, 0.0]]), ["a", "b"])
    [Rank(nearer=1, as_near=0), Rank(nearer=1, as_near=0)]

    Args:
        first, second: (pairs, width).
        texts: the second text of each pair.
    """
    first, second = unit(first), unit(second)
    chunks = ((start, first[start : start + _CHUNK] @ second.T) for start in range(0, len(first), _CHUNK))
    return [rank for start, near in chunks for rank in ranks_from(near, start, texts)]


def ranks_from(near: np.ndarray, start: int, texts: Sequence[str]) -> list[Rank]:
    """The rank of each pair's own second text.

    >>> ranks_from(np.array([[0.5, 0.5, 0.5]]), 0, ["a", "b", "a"])
    [Rank(nearer=0, as_near=1)]

    Args:
        near: (chunk, pairs) how near each second text is to the chunk's first ones.
        start: the pair that the chunk begins with.
        texts: the second text of each pair.
    """
    numbers: dict[str, int] = {}
    text = np.array([numbers.setdefault(one, len(numbers)) for one in texts])  # (pairs,)
    at = start + np.arange(len(near))
    own = near[np.arange(len(near)), at][:, None]
    nearer = near > own + _SAME
    as_near = ~nearer & (near >= own - _SAME) & (text != text[at][:, None])
    return list(map(Rank, nearer.sum(axis=1).tolist(), as_near.sum(axis=1).tolist()))


def similarity_scores(wanted: Sequence[float], similarities: Sequence[float]) -> dict[str, Any]:
    """Spearman's and Pearson's correlation of cosines with scores that people gave, with intervals; 0 where either is always the same."""
    scores = regression_scores(wanted, similarities)
    kept = ("spearman", "pearson")
    return {part: {name: scores[part][name] for name in kept} for part in ("metrics", "intervals", "draws")}


def retrieval_scores(ranks: Sequence[Rank]) -> dict[str, Any]:
    """How often the right text is found first, and among the first five, with intervals. Of texts that are as near as the right one, each
    is as likely to come first: vectors that are all the same find no more than chance does.

    >>> retrieval_scores([Rank(0), Rank(3), Rank(9), Rank(0)])["metrics"]
    {'recall_at_1': 0.5, 'recall_at_5': 0.75}
    >>> retrieval_scores([Rank(0, as_near=9)])["metrics"]
    {'recall_at_1': 0.1, 'recall_at_5': 0.5}
    """
    return mean_scores({f"recall_at_{first}": [_found(rank, first) for rank in ranks] for first in (1, 5)})


def _found(rank: Rank, first: int) -> float:
    """How likely the right text is among so many."""
    return min(1.0, max(0.0, (first - rank.nearer) / (rank.as_near + 1)))


def unit(vectors: np.ndarray) -> np.ndarray:
    """(rows, width) vectors at length 1; all zeros stay as they are."""
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return scaled
