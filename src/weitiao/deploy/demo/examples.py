"""What a visitor can ask with one click: rows that the run was measured on and never saw, as different as they come; else the task's own
example.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weitiao import asking
from weitiao.errors import DataError
from weitiao.fields import Field
from weitiao.runs import RunFolder
from weitiao.tasks.base import Spec, Task

SHOWN = 6
LOOKED_AT = 500  # rows of the predictions
LONGEST = 400  # characters


def examples(task: Task, spec: Spec, folder: RunFolder | None) -> list[dict[str, Any]]:
    """At most ``SHOWN`` records; there is always one."""
    held_out = [] if folder is None else folder.measured_on(task.fields, LOOKED_AT)
    short = (record for record in held_out if len(task.plain({**dict.fromkeys(task.fields), **record})) <= LONGEST)
    fit = [record for record in short if _asks(task, record)]
    return _varied(fit, task.outputs)[:SHOWN] or [_own(task, spec)]


def _asks(task: Task, record: Mapping[str, Any]) -> bool:
    """Whether it asks something as it stands, and has its pictures here."""
    if any(one.type == "image" and not Path(str(record.get(one.name))).is_file() for one in task.inputs):
        return False
    try:
        task.asked(task.prepare({**dict.fromkeys(task.fields), **record}))
    except DataError:
        return False
    return True


def _varied(records: Sequence[dict[str, Any]], outputs: Sequence[Field]) -> list[dict[str, Any]]:
    """One of each right answer in turn, so that the first few differ, each in its own order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        kinds = [str(record.get(one.name)) for one in outputs if one.type in ("choice", "choices") and not one.varied]
        groups.setdefault(" ".join(kinds), []).append(record)
    rounds = max(map(len, groups.values()), default=0)
    return [group[at] for at in range(rounds) for group in groups.values() if at < len(group)]


def _own(task: Task, spec: Spec) -> dict[str, Any]:
    """The task's example, or where it asks nothing as it stands (there is no mask in it) a text that does."""
    record = {field.name: task.example.get(field.name) for field in task.inputs}
    if not _asks(task, record):
        record[task.inputs[0].name] = asking.words(task, spec)[0]
    return record
