"""What a visitor can ask with one click: rows that the run was measured on and never saw, as different as they come; else the task's own
example.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weitiao import asking
from weitiao.errors import DataError
from weitiao.fields import Field
from weitiao.messages import _, speaking
from weitiao.runs import RunFolder
from weitiao.tasks.base import Spec, Task

SHOWN = 6
LOOKED_AT = 500  # rows of the predictions
LONGEST = 400  # characters


@dataclass(frozen=True)
class Example:
    """One of them.

    Attributes:
        record: what is asked, and where it is a row its right answer too.
        place: where its row stands, {"row", "source"}; {} for the task's own example, which is nobody's.
    """

    record: dict[str, Any]
    place: Mapping[str, Any] = field(default_factory=dict)


def examples(task: Task, spec: Spec, folder: RunFolder | None) -> list[dict[str, Any]]:
    """At most ``SHOWN`` records; there is always one: without rows the task's own, in the language of the run's texts."""
    record = folder.record() if folder is not None and folder.record_file.is_file() else {}
    return [one.record for one in chosen(task, spec, folder, language=language_of(record))]


def chosen(task: Task, spec: Spec, folder: RunFolder | None, *, language: str = "en") -> list[Example]:
    """The same, each with where it comes from.

    Args:
        folder: the run whose rows may be shown; None for the task's own example.
        language: of the texts, ISO 639-1, for the task's own example, which there is in English and in Chinese.
    """
    rows = [] if folder is None else folder.measured_rows(task.fields, LOOKED_AT)
    short = (Example(*row) for row in rows if len(task.plain({**dict.fromkeys(task.fields), **row[0]})) <= LONGEST)
    fit = [one for one in short if _asks(task, one.record)]
    return _varied(fit, task.outputs)[:SHOWN] or [Example(_own(task, spec, language))]


def language_of(record: Mapping[str, Any]) -> str:
    """In which language a run's texts are, ISO 639-1; English where it is not known."""
    return str((record.get("data") or {}).get("language") or "en")


def _asks(task: Task, record: Mapping[str, Any]) -> bool:
    """Whether it asks something as it stands, and has its pictures here."""
    if any(one.type == "image" and not Path(str(record.get(one.name))).is_file() for one in task.inputs):
        return False
    try:
        task.asked(task.prepare({**dict.fromkeys(task.fields), **record}))
    except DataError:
        return False
    return True


def _varied(fit: Sequence[Example], outputs: Sequence[Field]) -> list[Example]:
    """One of each right answer in turn, so that the first few differ, each in its own order; last those where nothing is to be found."""
    marked = [one.name for one in outputs if one.type == "spans"]
    groups: dict[str, list[Example]] = {}
    for example in fit:
        kinds = [str(example.record.get(one.name)) for one in outputs if one.type in ("choice", "choices") and not one.varied]
        kinds += [" ".join(sorted({str(span.get("label")) for span in example.record.get(name) or ()})) for name in marked]
        groups.setdefault(" ".join(kinds), []).append(example)
    rounds = max(map(len, groups.values()), default=0)
    varied = [group[at] for at in range(rounds) for group in groups.values() if at < len(group)]
    return sorted(varied, key=lambda example: any(not example.record.get(name) for name in marked))


def _own(task: Task, spec: Spec, language: str) -> dict[str, Any]:
    """The task's example, or where it asks nothing as it stands (there is no mask in it) a text that does."""
    with spoken_for(language):
        record = {field.name: spoken(task.example.get(field.name)) for field in task.inputs}
        if not _asks(task, record):
            record[task.inputs[0].name] = asking.words(task, spec)[0]
    return record


def spoken_for(language: str) -> AbstractContextManager[None]:
    """A block that speaks the language of a task's example for texts of a language, ISO 639-1: English or Chinese."""
    return speaking("zh" if language.partition("-")[0] == "zh" else "en")


def spoken(value: Any) -> Any:
    """A value of a task's example in the language in force."""
    if isinstance(value, list):
        return [spoken(one) for one in value]
    if isinstance(value, Mapping):
        return {name: spoken(one) if name == "content" else one for name, one in value.items()}
    return _(value) if value and isinstance(value, str) else value
