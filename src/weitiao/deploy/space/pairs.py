"""What can be asked of a Space with one click, and what the run answers to it: a few rows that the run was tested on, else the task's own
example. Computed before anything is published, so that a page shows an answer at once, and so that the Space can be held to the run's.
"""

import shutil
from pathlib import Path
from typing import Any

from weitiao.deploy.lightest import Asked, asked, records_of
from weitiao.deploy.runtime import is_torch_free
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

PICTURES = "pictures"


def answered(source: RunFolder, inner: RunFolder, task: Task, *, offline: bool) -> tuple[list[dict[str, Any]], Asked]:
    """Ask the run, and what of it goes into the Space.

    Args:
        source: the run.
        inner: the run in the Space, with its rows still beside it.

    Returns:
        [{"record", "answer": the run's}], and what came of asking the one in the Space.

    Raises:
        ModelError: one of them does not answer.
    """
    records = records_of(task, inner.record()["spec"], inner)
    there = asked(inner, task, records)
    own = there if is_torch_free(source.record()) else asked(source, task, records, offline=offline)
    pairs = zip(records, own.answers, strict=True)
    return [{"record": record, "answer": answer} for record, answer in pairs if answer is not None], there


def with_pictures(pairs: list[dict[str, Any]], task: Task, place: Path) -> list[dict[str, Any]]:
    """The same with a copy of every picture in the Space's folder, named by where it lies there."""
    pictured = [field.name for field in task.inputs if field.type == "image"]
    return [{**pair, "record": _copied(pair["record"], pictured, place, at)} for at, pair in enumerate(pairs)]


def _copied(record: dict[str, Any], pictured: list[str], place: Path, at: int) -> dict[str, Any]:
    moved = {}
    for name in pictured:
        if record.get(name):
            file = Path(record[name])
            (place / PICTURES).mkdir(exist_ok=True)
            moved[name] = f"{PICTURES}/{at + 1}{file.suffix.lower()}"
            shutil.copyfile(file, place / moved[name])
    return {**record, **moved}
