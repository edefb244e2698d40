"""Column names, checked once for every format. It knows nothing of what the columns mean."""

from collections.abc import Sequence

from weitiao.errors import DataError
from weitiao.messages import _


def column_names(cells: Sequence[str | None], source: str, row: int | None = None) -> list[str]:
    """Column names from a header's cells: trimmed, the nameless ones numbered ("column_1", as spreadsheets and pandas leave an index).

    >>> column_names(["", " text", "label"], "a.csv")
    ['column_1', 'text', 'label']

    Raises:
        DataError: two columns have the same name.
    """
    names = []
    for number, cell in enumerate(cells, 1):
        name = (cell or "").replace("\0", "").replace("\ufeff", "").strip()
        names.append(name or f"column_{number}")
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if name in seen:
            message = _(
                '{file}: columns {first} and {second} are both named "{name}", so a column cannot be named for sure. Rename one of them.'
            )
            message = message.format(file=source, first=seen[name], second=number, name=name)
            raise DataError(message, file=source, row=row, column=name)
        seen[name] = number
    return names


def empty(source: str) -> DataError:
    """The error for a file with nothing in it."""
    message = _("{file} is empty. It should hold a header, such as «text,label», and one row an example.")
    return DataError(message.format(file=source), file=source)


def no_rows(source: str, names: Sequence[str]) -> DataError:
    """The error for a header without rows."""
    message = _("{file} has a header ({names}) but no rows below it. Add one row an example.")
    return DataError(message.format(file=source, names=_(", ").join(names)), file=source, row=1)
