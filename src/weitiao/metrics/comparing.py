"""A model's scores beside those of simple methods on the same rows, and an honest sentence about the difference."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from weitiao.messages import _
from weitiao.metrics.resampling import interval
from weitiao.metrics.titles import title

FEW = 6  # rows: of fewer, even all that speak for one side are no proof (a sign test at 95%), and the bootstrap cannot see that
Standing = Literal["better", "worse", "even", "alone"]


def compare(
    scores: Mapping[str, Any],
    baselines: Mapping[str, Mapping[str, Any]],
    metric: str,
    direction: Literal["max", "min"] = "max",
    *,
    rows: int | None = None,
) -> dict[str, Any]:
    """A model's scores beside those of its baselines on the same rows, with a verdict.

    Args:
        scores, baselines: what a task's ``score`` gives for the model and for each baseline: ``metrics``, ``intervals`` and, for the
            verdict's certainty, ``draws``.
        metric, direction: the headline figure and which way is better (a ``Headline`` unpacks into them).
        rows: how many rows were scored, where it is known: of a handful nothing is clear.

    Returns:
        ``scores`` without ``draws``, plus ``baselines`` {name: {"metrics", "intervals"}} and ``verdict``: ``beats_baselines`` (None where
        there is nothing to compare with), ``best_baseline``, ``difference`` (above zero where the model is better, whichever way the
        metric points), ``interval`` of the difference (None where there are no draws), ``clear`` (that interval leaves zero out, and the
        rows are no handful), ``text``. What they come to says ``standing``.

    >>> result = compare({"metrics": {"f1_macro": 0.893}}, {"tfidf_logistic_regression": {"metrics": {"f1_macro": 0.905}}}, "f1_macro")
    >>> result["verdict"]["beats_baselines"], round(result["verdict"]["difference"], 3)
    (False, -0.012)
    """
    sign = 1.0 if direction == "max" else -1.0
    shown = {name: {key: dict(b[key]) for key in ("metrics", "intervals") if key in b} for name, b in baselines.items()}
    result = {key: value for key, value in scores.items() if key != "draws"} | {"baselines": shown}
    rivals = {name: b["metrics"][metric] for name, b in baselines.items() if b["metrics"].get(metric) is not None}
    value = scores["metrics"].get(metric)
    if value is None or not rivals:
        text = _("There is no baseline to compare with.")
        verdict: dict[str, Any] = {
            "beats_baselines": None,
            "best_baseline": None,
            "difference": None,
            "interval": None,
            "clear": None,
            "text": text,
        }
        return result | {"verdict": verdict}
    best = max(rivals, key=lambda name: sign * rivals[name])
    difference = sign * (value - rivals[best])
    draws = [each.get("draws", {}).get(metric) for each in (scores, baselines[best])]
    bounds = None if None in draws else interval(sign * (np.asarray(draws[0]) - np.asarray(draws[1])))
    clear = None if bounds is None else (bounds[0] > 0 or bounds[1] < 0) and (rows is None or rows >= FEW)
    verdict = {
        "beats_baselines": difference > 0,
        "best_baseline": best,
        "difference": difference,
        "interval": bounds,
        "clear": clear,
    }
    text = _sentence(metric, value, best, rivals[best], standing(verdict), bounds)
    return result | {"verdict": {**verdict, "text": text}}


def standing(verdict: Mapping[str, Any]) -> Standing:
    """What a verdict comes to: "even" where the rows do not tell model and baseline apart, "alone" where there is no baseline.

    >>> standing({"beats_baselines": True, "difference": 0.01, "clear": False}), standing({"beats_baselines": True, "clear": True})
    ('even', 'better')
    """
    if verdict.get("beats_baselines") is None:
        return "alone"
    if verdict.get("clear") is False or verdict.get("difference") == 0:
        return "even"
    return "better" if verdict["beats_baselines"] else "worse"


def _sentence(metric: str, value: float, best: str, rival: float, stands: Standing, bounds: list[float] | None) -> str:
    if stands == "better" and bounds:
        text = _(
            "This model reaches {value} {metric}; the best simple baseline ({baseline}) {rival}. The difference is clear: {low} to {high}."
        )
    elif stands == "better":
        text = _("This model reaches {value} {metric}; the best simple baseline ({baseline}) {rival}.")
    elif stands == "worse":
        text = _(
            "The simple baseline ({baseline}) reaches {rival} {metric}, this model only {value}: use the baseline, or train "
            "with more data, more epochs or a better base model."
        )
    elif value == rival:
        text = _("This model and the best simple baseline ({baseline}) both reach {value} {metric}: the test rows do not tell them apart.")
    elif bounds and bounds[0] <= 0 <= bounds[1]:
        text = _(
            "This model reaches {value} {metric}; the best simple baseline ({baseline}) {rival}. That is within noise ({low} to {high}): "
            "more test rows would tell them apart."
        )
    else:
        text = _("This model reaches {value} {metric}; the best simple baseline ({baseline}) {rival}.")
        text += " " + _("So few test rows do not tell them apart: hold out more.")
    low, high = (f"{bound:+.3f}" for bound in bounds or (0, 0))
    return text.format(metric=title(metric), value=f"{value:.3f}", baseline=title(best), rival=f"{rival:.3f}", low=low, high=high)
