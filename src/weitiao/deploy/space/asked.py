"""What a Space that starts a program is asked when it is tried out: examples that stand in its folder, with the run's own answers, and rows
that are kept out of it. It starts nothing and asks nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao import tasks
from weitiao.errors import GateError, RunError
from weitiao.messages import _
from weitiao.report.formats import file_name
from weitiao.runs import RunFolder
from weitiao.tasks.base import Spec, Task

TOLD = "space.json"  # what a Space says of itself: by it a folder is known as one
MOST = 3  # examples


@dataclass(frozen=True)
class Asked:
    """What is asked.

    Attributes:
        examples: each {"record", "answer"}, and {"place"} where its row does not stand in the Space.
        drawn: answers are drawn at random, so that none is like the next.
    """

    task: Task
    spec: Spec
    examples: list[dict[str, Any]]
    drawn: bool

    @property
    def passed(self) -> dict[str, int]:
        """{"asked": how many examples, "equal": how many of them were answered as the run does}, where none was answered otherwise."""
        return {"asked": len(self.examples), "equal": len(self.examples)}


def said_of_itself(place: Path) -> dict[str, Any]:
    """What the Space in a folder says of itself. Raises RunError where that cannot be read."""
    try:
        told = json.loads((place / TOLD).read_text(encoding="utf-8"))
        if not isinstance(told, dict):
            raise ValueError(_("not an object"))
        return told
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(_("{path} cannot be read: {error}.").format(path=place / TOLD, error=error)) from error


def asked(place: Path, *, trust_task: bool, beside: Sequence[Mapping[str, Any]] = ()) -> Asked:
    """What the Space in a folder is asked. Raises GateError where it has no example, RunError where what it says of itself is damaged.

    Args:
        beside: further examples, which do not stand in it.
    """
    told = said_of_itself(place)
    run = RunFolder(place / "run")
    record = run.record()
    task = tasks.of_run(record, run.task, trust_task=trust_task)
    if not told.get("examples"):
        raise GateError(_("The Space has no example to ask, so nothing shows that it answers."))
    return Asked(task, record["spec"], [*told["examples"], *beside][:MOST], bool(told.get("drawn")))


def unlike(got: str, wanted: str, example: Mapping[str, Any]) -> GateError:
    """What is said of a Space that answers otherwise. Of a row that is kept out of it no word is said, in answers neither: whoever reads a
    log of this may not be one who may read the row.
    """
    if "place" in example:
        message = _("The Space does not answer as the run does on row {row} of {source}, whose text is not shown.")
        return GateError(message.format(row=example["place"]["row"], source=file_name(example["place"]["source"])))
    message = _("The Space does not answer as the run does: {got} where the run says {wanted}.")
    return GateError(message.format(got=got, wanted=wanted))
