"""ROUGE (Lin, 2004): how much of a reference summary a text holds, as F-measures of n-grams and of the longest common subsequence.

In English the same numbers as the rouge-score package without its stemmer; elsewhere in units that the language has.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from weitiao.data.segmentation import Segmenter, segment
from weitiao.metrics.resampling import mean_scores

ROUGE = ("rouge1", "rouge2", "rougeL")


def rouge(prediction: str, reference: str, *, segmenter: Segmenter = "words") -> dict[str, float]:
    """The three F-measures of one pair, each from 0 to 1; 0 where either text has nothing to count.

    >>> rouge("testing one", "testing one two")
    {'rouge1': 0.8, 'rouge2': 0.6666666666666666, 'rougeL': 0.8}
    >>> rouge("", "太阳升起", segmenter="characters")["rouge1"]
    0.0

    Args:
        segmenter: what the texts are cut into, see ``data.segmentation.segment``.
    """
    answer, right = segment(prediction or "", segmenter), segment(reference or "", segmenter)
    return {
        "rouge1": _ngram_f1(answer, right, 1),
        "rouge2": _ngram_f1(answer, right, 2),
        "rougeL": _f1(_common_subsequence(answer, right), len(answer), len(right)),
    }


def rouge_rows(predictions: Sequence[str], references: Sequence[str], segmenter: Segmenter = "words") -> dict[str, list[float]]:
    """``rouge`` of each pair: {metric: (rows,)}."""
    rows = [rouge(answer, right, segmenter=segmenter) for answer, right in zip(predictions, references, strict=True)]
    return {name: [row[name] for row in rows] for name in ROUGE}


def rouge_scores(predictions: Sequence[str], references: Sequence[str], segmenter: Segmenter = "words") -> dict[str, Any]:
    """The means over all pairs, at least one, with intervals and draws, and "segmenter": what was counted.

    >>> scores = rouge_scores(["太阳升起"], ["太阳落下"], "characters")
    >>> scores["metrics"]["rouge1"], scores["segmenter"]
    (0.5, 'characters')
    """
    return {**mean_scores(rouge_rows(predictions, references, segmenter)), "segmenter": segmenter}


def _ngram_f1(answer: Sequence[str], right: Sequence[str], size: int) -> float:
    given, wanted = (Counter(zip(*(units[at:] for at in range(size)), strict=False)) for units in (answer, right))
    return _f1((given & wanted).total(), given.total(), wanted.total())


def _f1(common: int, given: int, wanted: int) -> float:
    # As rouge-score computes it, so that the last digits agree too.
    precision, recall = common / max(given, 1), common / max(wanted, 1)
    return 2 * precision * recall / (precision + recall) if common else 0.0


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence, one bit a unit of ``first`` (Hyyrö, 2004): long texts cost milliseconds."""
    places: dict[str, int] = {}
    for at, unit in enumerate(first):
        places[unit] = places.get(unit, 0) | 1 << at
    whole = (1 << len(first)) - 1
    row = whole
    for unit in second:
        met = row & places.get(unit, 0)
        row = ((row + met) | (row - met)) & whole
    return len(first) - row.bit_count()
