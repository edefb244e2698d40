"""How many of the keywords that people gave are among the first five answers. Numpy only; knows no model, task or file."""

from collections.abc import Sequence
from typing import Any

from weitiao.data.normalising import normalise
from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.metrics.resampling import mean_scores
from weitiao.metrics.side_by_side import side_by_side

FIRST = 5  # answers that are judged, however many people want to see


def keyword_scores(texts: Sequence[str], truth: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Precision, recall and F1 of each text's first five answers, averaged over texts. Case, width and white space do not count.

    >>> keyword_scores(["..."], [["Solar panel", "battery"]], [["solar  PANEL", "sun"]])["metrics"]
    {'precision_at_5': 0.5, 'recall_at_5': 0.5, 'f1_at_5': 0.5}

    Args:
        texts: what the keywords are of, for people to read.
        truth, answers: keywords of each text, the answers best first; of fewer than five, precision is over those there are.

    Raises:
        DataError: there are no rows.
    """
    if not truth:
        raise DataError(_("There are no rows to evaluate on. Give a file with keywords."))
    rows: dict[str, list[float]] = {"precision_at_5": [], "recall_at_5": [], "f1_at_5": []}
    for wanted, given in zip(truth, answers, strict=True):
        right = {normalise(word) for word in wanted}
        first = list(dict.fromkeys(normalise(word) for word in given))[:FIRST]
        hits = sum(word in right for word in first)
        rows["precision_at_5"].append(hits / max(1, len(first)))
        rows["recall_at_5"].append(hits / max(1, len(right)))
        rows["f1_at_5"].append(2 * hits / max(1, len(first) + len(right)))
    written = ["; ".join(words) for words in truth], ["; ".join(words[:FIRST]) for words in answers]
    return {**mean_scores(rows), "side_by_side": side_by_side(texts, *written, rows["f1_at_5"])}
