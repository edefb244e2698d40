"""How well hidden tokens were found again: accuracy and perplexity, with intervals. Numpy only; knows no model, task or file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.metrics.resampling import interval, ratio_scores

_LARGEST = 700.0  # the exponential of more is no float


def hidden_token_scores(rows: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Figures over all hidden tokens of all rows.

    >>> import math
    >>> half = math.log(0.5)
    >>> rows = [[{"rank": 0, "log_probability": half}, {"rank": 3, "log_probability": half}]]
    >>> {name: round(value, 6) for name, value in hidden_token_scores(rows)["metrics"].items()}
    {'masked_accuracy': 0.5, 'perplexity': 2.0}

    Args:
        rows: a row's hidden tokens: the ``rank`` of the true one among all (0: the likeliest), and its ``log_probability`` (natural), which
            a method without probabilities leaves out.

    Returns:
        {"metrics", "intervals", "draws", "hidden_tokens": their number}: masked_accuracy, and perplexity where there are probabilities.

    Raises:
        DataError: not one token was hidden.
    """
    counts = [len(row) for row in rows]
    if not sum(counts):
        raise DataError(_("There is nothing to evaluate: the evaluation hides words by itself, so give plain texts without masks."))
    right = [sum(token["rank"] == 0 for token in row) for row in rows]
    figures: dict[str, tuple[Sequence[float], Sequence[float]]] = {"masked_accuracy": (right, counts)}
    if all("log_probability" in token for row in rows for token in row):
        figures["perplexity"] = ([-sum(token["log_probability"] for token in row) for row in rows], counts)
    scores = ratio_scores(figures)
    if "perplexity" in figures:
        # The bootstrap is over the mean loss; its exponential keeps the order.
        draws = np.exp(np.minimum(scores["draws"]["perplexity"], _LARGEST))
        scores["metrics"]["perplexity"] = float(np.exp(min(scores["metrics"]["perplexity"], _LARGEST)))
        scores["draws"]["perplexity"], scores["intervals"]["perplexity"] = draws.tolist(), interval(draws)
    return {**scores, "hidden_tokens": sum(counts)}
