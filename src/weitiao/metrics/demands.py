"""Figures that a model must reach, as people state them: "accuracy=0.8" at least, "mae=0.5" at most. It measures nothing."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from weitiao.config import nearest
from weitiao.errors import GateError, UsageError
from weitiao.messages import _
from weitiao.metrics.ranges import RANGES, within
from weitiao.metrics.titles import smaller_is_better, title


class Demand(NamedTuple):
    """One figure that is asked for.

    Attributes:
        metric: its name, as JSON has it.
        value: what it must reach.
        percent: whether that was typed as a percentage.
    """

    metric: str
    value: float
    percent: bool = False


def parse_demands(texts: Iterable[str], flag: str, *, own: bool = False) -> list[Demand]:
    """The demands behind a flag.

    >>> parse_demands(["accuracy=0.8", "bleu = 75%"], "--at-least")
    [Demand(metric='accuracy', value=0.8, percent=False), Demand(metric='bleu', value=75.0, percent=True)]

    Args:
        own: whether the figures are of somebody's own task: a percentage is one of 1 then, whatever the figure is called.

    Raises:
        UsageError: no such form.
    """
    return [_demand(text, flag, own) for text in texts]


def foresee_demands(least: Iterable[Demand], most: Iterable[Demand], evaluation: Mapping[str, Any], *, own: bool = False) -> None:
    """Refuse what no evaluation can answer, before one is made.

    >>> foresee_demands([Demand("accuracy", 0.8)], [], {})

    Args:
        evaluation: an earlier one of the same model; {} where there is none.
        own: whether the figures are of somebody's own task, which may call and scale them as it likes.

    Raises:
        UsageError: a figure that nobody knows, with the nearest that there is; a value that it never has; less of it is better, and it was
            asked for at least.
    """
    asked = [*((one, True) for one in least), *((one, False) for one in most)]
    measured = [name for name, value in (evaluation.get("metrics") or {}).items() if isinstance(value, (int, float))]
    for demand, at_least in asked:
        # What is measured may depend on the rows, so another figure that there is may yet come.
        if not own and demand.metric not in {*measured, *RANGES}:
            _unknown(demand.metric, measured or list(RANGES))
        if not own:
            _check_range(demand)
        _check_direction(demand, at_least, evaluation)


def check_figures(evaluation: Mapping[str, Any], least: Iterable[Demand], most: Iterable[Demand] = ()) -> None:
    """Insist that an evaluation has the figures that are asked for.

    Raises:
        UsageError: it has not; or less of one is better, and it was asked for at least.
    """
    metrics = evaluation.get("metrics") or {}
    for demand, at_least in [*((one, True) for one in least), *((one, False) for one in most)]:
        if demand.metric not in metrics:
            _unknown(demand.metric, [name for name, value in metrics.items() if isinstance(value, (int, float))])
        _check_direction(demand, at_least, evaluation)


def check_demands(evaluation: Mapping[str, Any], least: Iterable[Demand], most: Iterable[Demand] = ()) -> None:
    """Insist that an evaluation's figures, which it has, reach what was asked for.

    >>> check_demands({"metrics": {"accuracy": 0.8}}, [Demand("accuracy", 0.8)])

    Raises:
        GateError: one does not; the message has all of those.
        UsageError: see ``check_figures``.
    """
    least, most = list(least), list(most)
    check_figures(evaluation, least, most)
    missed = []
    for demand, at_least in [*((one, True) for one in least), *((one, False) for one in most)]:
        value = evaluation["metrics"][demand.metric]
        # A figure that could not be measured reaches nothing.
        if not isinstance(value, (int, float)) or not (value >= demand.value if at_least else value <= demand.value):
            asked = _("{title} is {value}, and {wanted:g} at least was asked for") if at_least else ""
            asked = asked or _("{title} is {value}, and {wanted:g} at most was asked for")
            shown = f"{value:.6g}" if isinstance(value, (int, float)) else "–"
            missed.append(asked.format(title=title(demand.metric), value=shown, wanted=demand.value))
    if missed:
        raise GateError(_("The gate is not met: {missed}.").format(missed=_("; ").join(missed)))


def _unknown(metric: str, known: list[str]) -> NoReturn:
    message = _('There is no figure "{metric}"; there are: {names}.')
    raise UsageError(message.format(metric=metric, names=_(", ").join(known)) + nearest(metric, known))


def _check_direction(demand: Demand, at_least: bool, evaluation: Mapping[str, Any]) -> None:
    if at_least and smaller_is_better(demand.metric, evaluation):
        message = _("Less of {metric} is better, so ask for it with --at-most {metric}={value:g}.")
        raise UsageError(message.format(metric=demand.metric, value=demand.value))


def _check_range(demand: Demand) -> None:
    """Raises UsageError for a value that its figure never has, with the share that a percentage may have been meant as."""
    if within(demand.metric, demand.value):
        return
    low, high = RANGES[demand.metric]
    bounds = _("at least {low}").format(low=f"{low:g}") if high is None else _("at most {high}").format(high=f"{high:g}")
    if low is not None and high is not None:
        bounds = _("between {low} and {high}").format(low=f"{low:g}", high=f"{high:g}")
    message = _("{metric}={value:g} can never be: {title} is {bounds}.")
    text = message.format(metric=demand.metric, value=demand.value, title=title(demand.metric), bounds=bounds)
    if high == 1.0 and not demand.percent and 2 <= demand.value <= 100:
        meant = _("Did you mean {metric}={share:g}, which is {metric}={percent:g}%?")
        text += " " + meant.format(metric=demand.metric, share=demand.value / 100, percent=demand.value)
    raise UsageError(text)


def _demand(text: str, flag: str, own: bool) -> Demand:
    metric, equals, number = (part.strip() for part in text.partition("="))
    percent = number.endswith("%")
    whole = 1.0 if own else RANGES.get(metric, (None, None))[1] or 1.0
    try:
        # A percentage is a share of what the figure can be: BLEU goes up to 100.
        value = float(number[:-1]) / 100 * whole if percent else float(number)
        if not (metric and equals) or value != value:
            raise ValueError
    except ValueError:
        message = _('{flag} is "{text}"; it is a figure and a value, such as {flag} accuracy=0.8. The figures are named as in --json.')
        raise UsageError(message.format(flag=flag, text=text)) from None
    return Demand(metric, value, percent)
