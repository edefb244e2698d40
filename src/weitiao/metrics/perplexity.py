"""How well right answers were expected, token by token: loss and perplexity, with intervals. Numpy only; knows no model, task or file."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weitiao.metrics.resampling import interval, ratio_scores

_LARGEST = 700.0  # the exponential of more is no float


def token_loss_scores(losses: Sequence[float], tokens: Sequence[float]) -> dict[str, Any]:
    """The mean loss of all tokens of all rows, and its exponential. The bootstrap draws rows, since tokens of one row stand together.

    >>> scores = token_loss_scores([2.0, 4.0], [2, 2])
    >>> scores["metrics"]["loss"], round(scores["metrics"]["perplexity"], 3), [round(bound, 1) for bound in scores["intervals"]["loss"]]
    (1.5, 4.482, [1.0, 2.0])

    Args:
        losses, tokens: (rows,) a row's summed loss (natural logarithm), and of how many tokens.

    Returns:
        {"metrics", "intervals", "draws"} as a task's ``score`` gives them.
    """
    scores = ratio_scores({"loss": (losses, tokens)})
    draws = np.exp(np.minimum(scores["draws"]["loss"], _LARGEST))
    scores["metrics"]["perplexity"] = perplexity(scores["metrics"]["loss"])
    scores["draws"]["perplexity"], scores["intervals"]["perplexity"] = draws.tolist(), interval(draws)
    return scores


def perplexity(loss: float) -> float:
    """The exponential of a mean loss."""
    return float(np.exp(min(loss, _LARGEST)))
