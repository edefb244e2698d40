"""What of somebody's data a Space shows to anybody: which rows stand in it as examples, and how all of them are left out. It knows no kind
of Space and writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weitiao.config import nearest
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.quantities import one_line
from weitiao.report.formats import file_name
from weitiao.report.tokens import visible
from weitiao.tasks.base import Task

ROWS, OWN = "rows", "task"  # of the run's data, or the task's own example, which is nobody's
SOURCES = (ROWS, OWN)
WIDTH = 90  # characters of a row's text


def check_source(name: str) -> None:
    """Raises UsageError, with the nearest known one, for examples that there are not."""
    if name not in SOURCES:
        message = _('--examples is "{name}"; it may be: {sources}.').format(name=name, sources=_(", ").join(SOURCES))
        raise UsageError(message + nearest(name, list(SOURCES)))


def published_rows(examples: Sequence[Mapping[str, Any]], task: Task) -> list[dict[str, Any]]:
    """The examples that are rows of the data: {"row": its number, "source": its file, "text": what can be read of it, on one line}.

    Args:
        examples: each {"record", "place": {"row", "source"}, or {} where it is no row}.
    """
    return [
        {
            "row": one["place"]["row"],
            "source": file_name(one["place"]["source"]),
            "text": one_line(visible(task.plain({**dict.fromkeys(task.fields), **one["record"]})), WIDTH),
        }
        for one in examples
        if one["place"]
    ]


def told(rows: Sequence[Mapping[str, Any]], examples: int) -> Iterator[str]:
    """What is said of it, line by line.

    Args:
        rows: as ``published_rows`` gives them.
        examples: how many there are in all.
    """
    if rows:
        yield _("Anybody will see these {count} rows that the run was tested on, as examples:").format(count=len(rows))
        for one in rows:
            yield "  " + _("row {row} of {source}: {text}").format(**one)
        yield _("To leave every row of the data out, write it again with --examples task --overwrite")
    elif examples:
        yield _("No row of the data is in it: its example is the task's own.")
