"""Figures that a model must reach, as people state them: "accuracy=0.8" at least, "mae=0.5" at most. It measures nothing."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from weitiao.errors import GateError, UsageError
from weitiao.messages import _
from weitiao.metrics.titles import smaller_is_better, title


class Demand(NamedTuple):
    """One figure that is asked for: a metric's name, as JSON has it, and the value that it must reach."""

    metric: str
    value: float


def parse_demands(texts: Iterable[str], flag: str) -> list[Demand]:
    """The demands behind a flag.

    >>> parse_demands(["accuracy=0.8", "f1_macro = 75%"], "--at-least")
    [Demand(metric='accuracy', value=0.8), Demand(metric='f1_macro', value=0.75)]

    Raises:
        UsageError: no such form.
    """
    return [_demand(text, flag) for text in texts]


def check_demands(evaluation: Mapping[str, Any], least: Iterable[Demand], most: Iterable[Demand] = ()) -> None:
    """Insist that an evaluation's figures reach what was asked for.

    >>> check_demands({"metrics": {"accuracy": 0.8}}, [Demand("accuracy", 0.8)])

    Raises:
        GateError: one does not; the message has all of those.
        UsageError: the evaluation has no such figure, or less of it is better and it was asked for at least.
    """
    metrics = evaluation.get("metrics") or {}
    missed = []
    for demand, at_least in [*((one, True) for one in least), *((one, False) for one in most)]:
        if demand.metric not in metrics:
            names = _(", ").join(name for name, value in metrics.items() if isinstance(value, (int, float)))
            message = _('There is no figure "{metric}" in this evaluation; there are: {names}.')
            raise UsageError(message.format(metric=demand.metric, names=names))
        if at_least and smaller_is_better(demand.metric, evaluation):
            message = _("Less of {metric} is better, so ask for it with --at-most {metric}={value:g}.")
            raise UsageError(message.format(metric=demand.metric, value=demand.value))
        value = metrics[demand.metric]
        # A figure that could not be measured reaches nothing.
        if not isinstance(value, (int, float)) or not (value >= demand.value if at_least else value <= demand.value):
            asked = _("{title} is {value}, and {wanted:g} at least was asked for") if at_least else ""
            asked = asked or _("{title} is {value}, and {wanted:g} at most was asked for")
            shown = f"{value:.6g}" if isinstance(value, (int, float)) else "–"
            missed.append(asked.format(title=title(demand.metric), value=shown, wanted=demand.value))
    if missed:
        raise GateError(_("The gate is not met: {missed}.").format(missed=_("; ").join(missed)))


def _demand(text: str, flag: str) -> Demand:
    metric, equals, number = (part.strip() for part in text.partition("="))
    try:
        value = float(number[:-1]) / 100 if number.endswith("%") else float(number)
        if not (metric and equals) or value != value:
            raise ValueError
    except ValueError:
        message = _('{flag} is "{text}"; it is a figure and a value, such as {flag} accuracy=0.8. The figures are named as in --json.')
        raise UsageError(message.format(flag=flag, text=text)) from None
    return Demand(metric, value)
