"""Plain text, one paragraph a line and no header, becomes a table of one column. It knows no task."""

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from weitiao.data.table import Table


def read_paragraphs(path: Path, open_text: Callable[[], TextIO], column: str = "text") -> Table | None:
    """The lines of a .txt file that hold something, with their numbers; None for other files, which have columns.

    Args:
        column: what the one column is called.
    """
    if path.suffix.lower() != ".txt":
        return None
    with open_text() as file:
        lines = [(number, line.strip("\ufeff \t\r\n")) for number, line in enumerate(file, start=1)]
    filled = [(number, line) for number, line in lines if line]
    return Table.of([column], [[line] for _number, line in filled], [number for number, _line in filled])
