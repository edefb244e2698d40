"""What the training log shows: curves, and whether the run learned too long or too little. Knows no file and no HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

from weitiao.messages import _
from weitiao.metrics import title
from weitiao.report import charts


def validations(record: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The evaluations on validation rows, {"step", "epoch", metric: value, ...}, from the log or, where it is gone, from the record."""
    lines = [line for line in log if line.get("validation")] or (record.get("training") or {}).get("history") or []
    return [
        {"step": line["step"], "epoch": line.get("epoch"), **line["validation"]}
        for line in lines
        if line.get("validation") and "step" in line
    ]


def headline_of(record: Mapping[str, Any]) -> str:
    """The metric that picked the best checkpoint, as far as the record tells."""
    best = (record.get("training") or {}).get("best") or {}
    return str(best.get("metric") or (record.get("evaluation") or {}).get("headline") or "")


def learning_charts(record: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The charts {"title", "legend": [(css class, text)], "svg", "note"} that there is something to draw in."""
    seen, metric, shown = validations(record, log), headline_of(record), []
    losses = _points(log, "loss")
    validation_losses = _points(seen, "loss")
    if losses or validation_losses:
        lines = [(charts.ACCENT, losses), (charts.SECOND, validation_losses)]
        legend = [("accent", _("training")), ("second", _("validation"))]
        there = [i for i, (_colour, points) in enumerate(lines) if points]
        text = _("Loss over training steps")
        svg = charts.curves("loss", [lines[i] for i in there], label=text, marked=True)
        shown.append({"title": text, "legend": [legend[i] for i in there], "svg": svg, "note": _("Lower is better.")})
    scores = _points(seen, metric)
    if len(scores) > 1:
        best = (record.get("training") or {}).get("best") or {}
        point = next(((x, y) for x, y in scores if x == best.get("step")), None)
        text = _("Validation {metric} over training steps").format(metric=title(metric))
        svg = charts.curves("metric", [(charts.SECOND, scores)], label=text, marked=True, best=point)
        note = _("The ringed checkpoint was kept.") if point else ""
        shown.append({"title": text, "legend": [], "svg": svg, "note": note})
    rates = _points(log, "lr")
    if rates:
        text = _("Learning rate over training steps")
        shown.append({"title": text, "legend": [], "svg": charts.curves("lr", [(charts.ACCENT, rates)], label=text), "note": ""})
    return shown


def _points(lines: Sequence[Mapping[str, Any]], name: str) -> list[charts.Point]:
    return [(float(line["step"]), float(line[name])) for line in lines if name and line.get(name) is not None and "step" in line]
