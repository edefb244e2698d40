"""What small numbers for weights may cost, where they answer a little otherwise than the run: of the figure that decides, of what is found,
and what so few rows can show of it. It knows what ``gate.parity`` found and what a task says of itself; no model, no folder.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from weitiao.engine.kept import KEPT, few
from weitiao.messages import _
from weitiao.metrics import smaller_is_better, title
from weitiao.metrics.ranges import RANGES
from weitiao.tasks.base import Task

POINTS = 0.005  # of a figure between 0 and 1 that may be lost; of any other figure, the share of it


class Costs(NamedTuple):
    """What was found, judged.

    Attributes:
        allowed: how much of the figure may be lost.
        too_high: whether more is lost than that, of the figure or of what is found.
        said: sentences beside the figures: what else was judged and why, and what so few rows can show.
    """

    allowed: float
    too_high: bool
    said: tuple[str, ...]


def judged(task: Task, proof: Mapping[str, Any]) -> Costs:
    """Whether an export keeps what its run can, by what ``gate.parity`` found on rows with right answers.

    The figure that decides may lose half a point. Where a task finds any number of things in a text, what both find must be the same, too:
    what is lost and what is found instead may make up for each other in the figure. And where the run's figure is so low that it cannot
    lose more than half a point, answers alone show something. A loss that is no number is too high. Of a task of somebody's own nobody
    knows how low a figure can be, whatever its name.
    """
    run, same = float(proof["run"]), float(proof.get("kept", proof["equal"]))
    allowed = POINTS * max(1.0, abs(run))
    name = str(proof["metric"])
    least = None if task.origin or smaller_is_better(name, {}) else RANGES.get(name, (None, None))[0]
    blind = least is not None and run - least <= allowed and proof["lost"] <= allowed
    by_answers, said = blind or task.finds, []
    words = {
        "title": title(name),
        "run": run,
        "same": same,
        "least": KEPT,
        "count": proof.get("decided", proof["rows"]),
        "allowed": allowed,
    }
    if blind:
        message = _(
            "The run's {title} is {run:.3f} and cannot lose more than {allowed:.3f}, so it shows nothing of what int8 costs; of the "
            "answers {same:.1%} are the same ({least:.0%} are asked for). Train the run better first."
        )
        said.append(message.format(**words))
    elif task.finds:
        message = _(
            "Of what the two find ({count} by the run) {same:.1%} is the same, by its ends and its type ({least:.0%} are asked for)."
        )
        said.append(message.format(**words))
    if "decided" in proof:
        said.append(few(proof["decided"], proof["decided_otherwise"], 1 - KEPT if blind else POINTS, of_figure=not blind))
    too_high = not proof["lost"] <= allowed or (by_answers and same < KEPT)
    return Costs(allowed, too_high, tuple(filter(None, said)))
