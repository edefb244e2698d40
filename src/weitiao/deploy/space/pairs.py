"""What can be asked of a Space with one click, and what the run answers to it: a few rows that the run was tested on, else the task's own
example. Computed before anything is published, so that a page shows an answer at once, and so that the Space can be held to the run's.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.deploy.demo.examples import chosen, language_of
from weitiao.deploy.lightest import Asked, asked, whole
from weitiao.deploy.runtime import is_torch_free
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

PICTURES = "pictures"


@dataclass(frozen=True)
class Answered:
    """What the run answered.

    Attributes:
        pairs: what the Space shows, [{"record", "answer", "place": where its row stands, {} where it is none}].
        beside: the same of rows that it does not show, and that it is tried with all the same, on this machine.
        used: what came of asking the run in the Space.
    """

    pairs: list[dict[str, Any]]
    beside: list[dict[str, Any]]
    used: Asked


def answered(source: RunFolder, inner: RunFolder, task: Task, *, offline: bool, rows: bool = True, observer: Observer = SILENT) -> Answered:
    """Ask the run, and what of it goes into the Space.

    Args:
        source: the run.
        inner: the run in the Space, with its rows still beside it.
        rows: whether rows of the run's data may be among them; else it is the task's own example alone.

    Raises:
        ModelError: one of them does not answer.
    """
    record = inner.record()
    spec = record["spec"]
    shown = chosen(task, spec, inner if rows else None, language=language_of(record))
    beside = [] if rows else [one for one in chosen(task, spec, inner) if one.place]
    records = [whole(task, spec, one.record) for one in (*shown, *beside)]
    observer.note(_("Asking the run and the Space's copy of it {count} examples, each in a process of its own.").format(count=len(records)))
    there = asked(inner, task, records)
    own = there if is_torch_free(source.record()) else asked(source, task, records, offline=offline)
    pairs: list[dict[str, Any]] = [
        {"record": record, "answer": answer, "place": one.place}
        for record, answer, one in zip(records, own.answers, (*shown, *beside), strict=True)
    ]
    kept, hidden = ([pair for pair in part if pair["answer"] is not None] for part in (pairs[: len(shown)], pairs[len(shown) :]))
    return Answered(kept, [{**pair, "record": _located(pair["record"], task)} for pair in hidden], there)


def with_pictures(pairs: list[dict[str, Any]], task: Task, place: Path) -> list[dict[str, Any]]:
    """The same with a copy of every picture in the Space's folder, named by where it lies there."""
    pictured = [field.name for field in task.inputs if field.type == "image"]
    return [{**pair, "record": _copied(pair["record"], pictured, place, at)} for at, pair in enumerate(pairs)]


def _located(record: dict[str, Any], task: Task) -> dict[str, Any]:
    """A record whose pictures are found from everywhere."""
    pictured = {field.name for field in task.inputs if field.type == "image"}
    return {name: os.path.abspath(value) if name in pictured and value else value for name, value in record.items()}


def _copied(record: dict[str, Any], pictured: list[str], place: Path, at: int) -> dict[str, Any]:
    moved = {}
    for name in pictured:
        if record.get(name):
            file = Path(record[name])
            (place / PICTURES).mkdir(exist_ok=True)
            moved[name] = f"{PICTURES}/{at + 1}{file.suffix.lower()}"
            shutil.copyfile(file, place / moved[name])
    return {**record, **moved}
