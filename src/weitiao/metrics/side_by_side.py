"""Written answers beside what was wanted, for people to read."""

from collections.abc import Sequence
from typing import Any

SHOWN = 50


def side_by_side(
    inputs: Sequence[str], references: Sequence[str], predictions: Sequence[str], scores: Sequence[float], most: int = SHOWN
) -> list[dict[str, Any]]:
    """Rows as {"input", "reference", "prediction", "score"}, the worst first.

    >>> [row["prediction"] for row in side_by_side(["a", "b"], ["A", "B"], ["A", "C"], [1.0, 0.0])]
    ['C', 'A']
    """
    worst = sorted(range(len(scores)), key=scores.__getitem__)[:most]
    return [{"input": inputs[at], "reference": references[at], "prediction": predictions[at], "score": scores[at]} for at in worst]
