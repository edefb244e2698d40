"""An evaluation arranged for people to look at: beside its baselines, by class, by confusion. Knows no file, no HTML and no task's name."""

from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from typing import Any

from weitiao.metrics import smaller_is_better
from weitiao.runs import record_in

MOST_MATRIX = 30  # labels: beyond that a matrix cannot be read, and the most confused pairs stand in for it
MOST_PAIRS = 20
MOST_CLASSES = 24
MOST_WRITTEN = 16
MOST_ERRORS = 6  # of a kind
MOST_MISTAKES = 20
_NOT_INPUTS = frozenset({"row", "source", "label", "prediction"})
_MOST_LABEL_ORDER = 12  # up to here a person finds a label in its own order; beyond, the worst come first


def metric_rows(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a metric, the headline first: {"name", "smaller", "headline", "cells": [{"value", "interval", "best"}]}.

    The model's cell comes first, then the baselines'.
    """
    methods = [evaluation, *evaluation.get("baselines", {}).values()]
    rows = []
    for name in evaluation["metrics"]:
        values = [method.get("metrics", {}).get(name) for method in methods]
        there = [value for value in values if value is not None]
        smaller = smaller_is_better(name, evaluation)
        best = (min if smaller else max)(there) if len(there) > 1 else None
        cells = [
            {"value": value, "interval": method.get("intervals", {}).get(name), "best": best is not None and value == best}
            for method, value in zip(methods, values, strict=True)
        ]
        rows.append({"name": name, "smaller": smaller, "headline": name == evaluation.get("headline"), "cells": cells})
    return sorted(rows, key=lambda row: not row["headline"])


def ranges(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The headline figure of model and baselines on one axis: {"low", "high", "rows": [{"name", "value", "interval", "at", "from", "to"}]}.

    ``at``, ``from`` and ``to`` are positions in percent of the axis, which spans what there is to see, in tenths.

    >>> shown = ranges({"headline": "accuracy", "metrics": {"accuracy": 0.84}, "baselines": {"majority": {"metrics": {"accuracy": 0.55}}}})
    >>> shown["low"], shown["high"], [round(row["at"]) for row in shown["rows"]]
    (0.5, 0.9, [85, 12])
    """
    name = evaluation.get("headline", "")
    methods = {"": evaluation, **evaluation.get("baselines", {})}
    rows = []
    for method, scores in methods.items():
        value = scores.get("metrics", {}).get(name)
        if value is not None:
            rows.append({"name": method, "value": value, "interval": scores.get("intervals", {}).get(name)})
    if not rows:
        return {}
    seen = [x for row in rows for x in (row["value"], *(row["interval"] or ()))]
    low, high = int(min(seen) * 10 // 1) / 10, -int(-max(seen) * 10 // 1) / 10
    high = high if high > low else low + 0.1
    for row in rows:
        start, end = row["interval"] or (row["value"], row["value"])
        row["at"], row["from"], row["to"] = (round(100 * (x - low) / (high - low), 2) for x in (row["value"], start, end))
    return {"low": low, "high": high, "rows": rows}


def class_rows(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The classes to draw as bars: in their own order where they are few, else the worst F1 first, rarest last among equals."""
    rows = list(evaluation.get("per_class", ()))
    return rows if len(rows) <= _MOST_LABEL_ORDER else sorted(rows, key=lambda row: (row["f1"], -row["support"]))


def matrix_rows(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The confusion matrix's rows {"label", "cells": [{"label", "count", "share", "right"}]}; [] where there are too many labels."""
    labels, matrix = _matrix(evaluation)
    if not 0 < len(labels) <= MOST_MATRIX:
        return []
    return [
        {
            "label": true,
            "cells": [
                {"label": answered, "count": count, "share": count / max(sum(counts), 1), "right": true == answered}
                for answered, count in zip(labels, counts, strict=True)
            ],
        }
        for true, counts in zip(labels, matrix, strict=True)
    ]


def confused_pairs(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The most frequent confusions {"true", "answered", "count", "share"}; ``share`` is of the rows that truly have the label."""
    labels, matrix = _matrix(evaluation)
    wrong = ((count, -i, -j) for i, counts in enumerate(matrix) for j, count in enumerate(counts) if i != j and count)
    return [
        {"true": labels[-i], "answered": labels[-j], "count": count, "share": count / sum(matrix[-i])}
        for count, i, j in nlargest(MOST_PAIRS, wrong)
    ]


def side_by_side(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was written beside what was wanted, {"input", "reference", "prediction", "score"}, the worst first; shown are a few of them and
    some from the middle, since the worst alone would give a wrong idea.
    """
    rows = list(evaluation.get("side_by_side") or ())
    return rows if len(rows) <= MOST_WRITTEN else rows[: MOST_WRITTEN // 2] + rows[len(rows) // 2 :][: MOST_WRITTEN // 2]


def errors_by_kind(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Errors about entities by what went wrong, the commonest first: {"kind", "count", "errors": [{"text", "truth", "answer"}]}."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for error in evaluation.get("entity_errors") or ():
        kinds.setdefault(error["kind"], []).append(error)
    return [
        {"kind": kind, "count": len(errors), "errors": errors[:MOST_ERRORS]}
        for kind, errors in sorted(kinds.items(), key=lambda item: -len(item[1]))
    ]


def confident_mistakes(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The wrong answers the model was surest of, {"row", "source", "text", "truth", "answer", "score"}, from a stream of predictions.

    Lines whose prediction has no label and score are of another kind, and left out.
    """
    wrong = (
        (line["prediction"]["score"], -position, line, record)
        for position, (line, record) in enumerate((line, record_in(line)) for line in lines)
        if "label" in record and {"label", "score"} <= set(line.get("prediction", ())) and line["prediction"]["label"] != record["label"]
    )
    return [
        {
            "row": line.get("row"),
            "source": line.get("source"),
            "text": " · ".join(str(value) for name, value in record.items() if name not in (_NOT_INPUTS if record is line else {"label"})),
            "truth": record["label"],
            "answer": line["prediction"]["label"],
            "score": score,
        }
        for score, _position, line, record in nlargest(MOST_MISTAKES, wrong, key=lambda item: item[:2])
    ]


def _matrix(evaluation: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[Sequence[int]]]:
    table = evaluation.get("confusion_matrix") or {"labels": [], "matrix": []}
    return table["labels"], table["matrix"]
