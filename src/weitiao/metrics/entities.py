"""Entities found against entities marked, strictly: the type and both ends must be right. Knows spans of characters, no tags and no tokens.

On tags whose scheme is kept these are the figures of seqeval's strict mode, and of CoNLL's own scorer.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.metrics.resampling import ratio_scores

SHOWN = 50  # errors
_AROUND = 80  # characters shown on either side of an error
Span = Mapping[str, Any]


def entity_scores(texts: Sequence[str], truth: Sequence[Sequence[Span]], answers: Sequence[Sequence[Span]]) -> dict[str, Any]:
    """Precision, recall and F1 over all entities, with intervals over rows, and of each type.

    >>> berlin, anna = {"start": 8, "end": 14, "label": "LOC"}, {"start": 0, "end": 4, "label": "PER"}
    >>> scores = entity_scores(["Anna in Berlin"], [[anna, berlin]], [[berlin]])
    >>> round(scores["metrics"]["f1"], 3), scores["entity_errors"][0]["kind"]
    (0.667, 'missed')

    Args:
        texts: the rows' texts, to show errors in.
        truth, answers: the entities of each row: {"start", "end", "label"}.

    Returns:
        ``metrics``: precision, recall, f1 (micro: each entity counts once), f1_macro (the mean over the types that occur in truth or
        answers); ``intervals`` and ``draws`` of the first three; ``per_class``; ``entity_errors``, the first ``SHOWN`` of them:
        {"kind": "missed", "invented", "boundary" or "type", "text", "truth", "answer"}; ``entity_error_counts`` of all, by kind.

    Raises:
        DataError: there are no rows.
    """
    if not texts:
        raise DataError(_("There are no rows to evaluate on. Give a file with labelled rows."))
    true, found = ([{_key(span) for span in row} for row in rows] for rows in (truth, answers))
    right = [a & b for a, b in zip(true, found, strict=True)]
    counted = (("true", true), ("found", found), ("right", right))
    sizes: dict[str, Any] = {name: np.array([len(row) for row in rows]) for name, rows in counted}
    scores = ratio_scores(
        {
            "f1": (2 * sizes["right"], sizes["found"] + sizes["true"]),
            "precision": (sizes["right"], sizes["found"]),
            "recall": (sizes["right"], sizes["true"]),
        }
    )
    per_class = _per_class(true, found, right)
    scores["metrics"]["f1_macro"] = float(np.mean([one["f1"] for one in per_class])) if per_class else 0.0
    errors = [error for row in zip(texts, true, found, strict=True) for error in _errors(*row)]
    counts = Counter(error["kind"] for error in errors)
    return {**scores, "per_class": per_class, "entity_errors": errors[:SHOWN], "entity_error_counts": dict(counts.most_common())}


def _key(span: Span) -> tuple[int, int, str]:
    return span["start"], span["end"], span["label"]


def _per_class(*rows: Sequence[set[tuple[int, int, str]]]) -> list[dict[str, Any]]:
    """Figures of each type, from what is true, found and right."""
    true, found, right = (Counter(label for row in spans for _start, _end, label in row) for spans in rows)
    return [
        {
            "label": label,
            "precision": right[label] / found[label] if found[label] else 0.0,
            "recall": right[label] / true[label] if true[label] else 0.0,
            "f1": 2 * right[label] / (found[label] + true[label]),
            "support": true[label],
            "predicted": found[label],
        }
        for label in sorted(true | found)
    ]


def _errors(text: str, true: set[tuple[int, int, str]], found: set[tuple[int, int, str]]) -> list[dict[str, str]]:
    """What is wrong in one row: an answer that overlaps an entity is one error with it, about its type or about its ends."""
    lost, wrong = sorted(true - found), sorted(found - true)
    pairs: list[tuple[str, tuple[int, int, str] | None, tuple[int, int, str] | None]] = []
    for one in lost:
        touching = [other for other in wrong if other[0] < one[1] and one[0] < other[1]]
        # The one that shares most of it; of the same type first, where two share as much.
        best = max(touching, key=lambda other: (min(one[1], other[1]) - max(one[0], other[0]), other[2] == one[2]), default=None)
        if best is None:
            pairs.append(("missed", one, None))
        else:
            wrong.remove(best)
            pairs.append(("boundary" if best[2] == one[2] else "type", one, best))
    pairs += [("invented", None, other) for other in wrong]
    pairs.sort(key=lambda pair: (pair[1] or pair[2] or (0, 0, ""))[:2])
    return [
        {"kind": kind, "text": _around(text, one or other), "truth": _said(text, one), "answer": _said(text, other)}
        for kind, one, other in pairs
    ]


def _said(text: str, span: tuple[int, int, str] | None) -> str:
    return f"{text[span[0] : span[1]]} ({span[2]})" if span else ""


def _around(text: str, span: tuple[int, int, str] | None) -> str:
    start, end = (span[0], span[1]) if span else (0, 0)
    low, high = max(0, start - _AROUND), min(len(text), end + _AROUND)
    return ("…" if low else "") + text[low:high] + ("…" if high < len(text) else "")
