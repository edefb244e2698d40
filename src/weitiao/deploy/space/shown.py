"""What of somebody's data a Space shows to anybody: which rows stand in it as examples, and how all of them are left out. It knows no kind
of Space and writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weitiao.config import nearest
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.report.formats import file_name
from weitiao.report.tokens import visible
from weitiao.tasks.base import Task

ROWS, OWN = "rows", "task"  # of the run's data, or the task's own example, which is nobody's
SOURCES = (ROWS, OWN)


def check_source(name: str) -> None:
    """Raises UsageError, with the nearest known one, for examples that there are not."""
    if name not in SOURCES:
        message = _('--examples is "{name}"; it may be: {sources}.').format(name=name, sources=_(", ").join(SOURCES))
        raise UsageError(message + nearest(name, list(SOURCES)))


def published_rows(examples: Sequence[Mapping[str, Any]], task: Task) -> list[dict[str, Any]]:
    """The examples that are rows of the data: {"row": its number, "source": its file, "text": all that can be read of it, on one line,
    "pictures": where its pictures lie in the Space's folder}.

    Args:
        examples: each {"record", "place": {"row", "source"}, or {} where it is no row}.
    """
    read = [field.name for field in task.inputs if field.type != "image"]
    return [
        {
            "row": one["place"]["row"],
            "source": file_name(one["place"]["source"]),
            "text": " · ".join(" ".join(visible(text).split()) for text in _texts([one["record"].get(name) for name in read])),
            "pictures": [one["record"][field.name] for field in task.inputs if field.type == "image" and one["record"].get(field.name)],
        }
        for one in examples
        if one["place"]
    ]


def _texts(value: Any) -> Iterator[str]:
    """Whatever can be read in a value, be it a list of messages; by this people judge what is private, so nothing is left out."""
    if isinstance(value, Mapping):
        yield ": ".join(text for part in value.values() for text in _texts(part))
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif value is not None and value != "":
        yield str(value)


def told(rows: Sequence[Mapping[str, Any]], examples: int, *, private: bool = False, earlier: bool = False) -> Iterator[str]:
    """What is said of it, line by line.

    Args:
        rows: as ``published_rows`` gives them.
        examples: how many there are in all.
        private: it goes where only some people see it.
        earlier: it takes, or may take, the place of one that was there before.
    """
    if rows:
        anybody = _("Anybody will see these {count} rows that the run was tested on, as examples:")
        some = _("Whoever may open the private Space will see these {count} rows that the run was tested on, as examples:")
        yield (some if private else anybody).format(count=len(rows))
        for one in rows:
            pictures = _(" (with the picture {files})").format(files=_(", ").join(one["pictures"])) if one["pictures"] else ""
            yield "  " + _("row {row} of {source}: {text}").format(**one) + pictures
        yield _("To leave every row of the data out, write it again with --examples task --overwrite")
    elif examples:
        yield _("No row of the data is in it: its example is the task's own.")
    if earlier:
        yield _(
            "A Space that was published before keeps its rows in its history: to take them back, delete it on the hub and publish anew."
        )
