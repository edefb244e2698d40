"""What can be asked of a Space with one click, and what the run answers to it: a few rows that the run was tested on, else the task's own
example. Computed before anything is published, so that a page shows an answer at once, and so that the Space can be held to the run's.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.deploy.demo.examples import chosen, language_of
from weitiao.deploy.lightest import Asked, asked, whole
from weitiao.deploy.runtime import is_torch_free
from weitiao.errors import DataError
from weitiao.images import opened
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

PICTURES = "pictures"
_FORMATS = {"JPEG": ("JPEG", ".jpg"), "MPO": ("JPEG", ".jpg"), "WEBP": ("WEBP", ".webp")}  # any other becomes PNG


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


def answered(
    source: RunFolder, inner: RunFolder, task: Task, place: Path, *, offline: bool, rows: bool = True, observer: Observer = SILENT
) -> Answered:
    """Ask the run, and what of it goes into the Space.

    Args:
        source: the run.
        inner: the run in the Space, with its rows still beside it.
        place: the Space's folder. Pictures of what it shows are put there, and their records name them by where they lie in it.
        rows: whether rows of the run's data may be among them; else it is the task's own example alone.

    Raises:
        ModelError: one of them does not answer.
        MissingPackage: there are pictures, and Pillow is not installed.
    """
    record = inner.record()
    spec = record["spec"]
    shown = chosen(task, spec, inner if rows else None, language=language_of(record))
    beside = [] if rows else [one for one in chosen(task, spec, inner) if one.place]
    pictured = [field.name for field in task.inputs if field.type == "image"]
    copied = [(one, _pictured(whole(task, spec, one.record), pictured, place, at)) for at, one in enumerate(shown, 1)]
    shown, records = [one for one, copy in copied if copy is not None], [copy for _one, copy in copied if copy is not None]
    hidden = [_located(whole(task, spec, one.record), pictured, Path()) for one in beside]
    # Of a picture the copy is asked about: it may lie another way, and its pixels are not the file's to the last bit.
    questions = [*(_located(one, pictured, place) for one in records), *hidden]
    observer.note(
        _("Asking the run and the Space's copy of it {count} examples, each in a process of its own.").format(count=len(questions))
    )
    there = asked(inner, task, questions)
    own = there if is_torch_free(source.record()) else asked(source, task, questions, offline=offline)
    pairs: list[dict[str, Any]] = [
        {"record": record, "answer": answer, "place": one.place}
        for record, answer, one in zip([*records, *hidden], own.answers, (*shown, *beside), strict=True)
    ]
    kept, kept_hidden = ([pair for pair in part if pair["answer"] is not None] for part in (pairs[: len(shown)], pairs[len(shown) :]))
    shows = {pair["record"].get(name) for pair in kept for name in pictured}
    for name in {str(record[name]) for record in records for name in pictured if record.get(name)} - shows:
        (place / name).unlink(missing_ok=True)
    return Answered(kept, kept_hidden, there)


def _located(record: dict[str, Any], pictured: list[str], place: Path) -> dict[str, Any]:
    """A record whose pictures are found from everywhere.

    Args:
        place: where they lie that are named by no whole path.
    """
    return {name: os.path.abspath(place / value) if name in pictured and value else value for name, value in record.items()}


def _pictured(record: dict[str, Any], pictured: list[str], place: Path, at: int) -> dict[str, Any] | None:
    """A record with copies of its pictures in a folder; None where one cannot be read any more."""
    moved = {}
    for name in pictured:
        if record.get(name):
            (place / PICTURES).mkdir(exist_ok=True)
            stem = place / PICTURES / (str(at) if len(pictured) == 1 else f"{at}-{pictured.index(name) + 1}")
            try:
                moved[name] = _bare(Path(record[name]), stem).relative_to(place).as_posix()
            except DataError:
                return None
    return {**record, **moved}


def _bare(file: Path, stem: Path) -> Path:
    """Write a picture's pixels alone, upright, and give the file: where it was taken, when and with what stays behind, and so does whatever
    else stands beside pixels. Raises DataError where it cannot be read.
    """
    with opened(file) as picture:
        from PIL import Image, ImageOps

        form, ending = _FORMATS.get(str(picture.format), ("PNG", ".png"))
        upright = ImageOps.exif_transpose(picture).convert("RGB")
        pixels = Image.new("RGB", upright.size)
        pixels.paste(upright)
    out = stem.with_name(stem.name + ending)
    pixels.save(out, form, **({} if form == "PNG" else {"quality": 95}))
    return out
