"""What reading must know of a task, as data and three functions: so that ``data`` reads for every task and knows none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from weitiao.data.table import Table
from weitiao.fields import Field


@dataclass(frozen=True)
class Schema:
    """A task's fields and its ways of reading.

    Attributes:
        inputs, outputs: its fields.
        columns: a field's flag -> the columns that the user named for it, () for none.
        endings: file endings that ``read`` takes beside the ordinary ones.
        read: a file in a format of the task's own becomes a table, None where it is an ordinary file.
        reshape: a table in a layout of the task's own gets the task's columns.
        prepare: a record is checked and brought into the task's form; raises DataError with one sentence. None where any record will do.
        complete: raises DataError, likewise, for a prepared record that one cannot learn from; None where all will do.
        asked: raises DataError, likewise, for a prepared record that asks nothing; None where all do.
    """

    inputs: Sequence[Field]
    outputs: Sequence[Field]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    endings: tuple[str, ...] = ()
    read: Callable[[Path, Callable[[], TextIO]], Table | None] = lambda path, open_text: None
    reshape: Callable[[Table], Table] = lambda table: table
    prepare: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    complete: Callable[[dict[str, Any]], None] | None = None
    asked: Callable[[dict[str, Any]], None] | None = None

    def preparation(self, *, need_outputs: bool) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """``prepare``, and after it ``complete`` for records that are learned from or scored, ``asked`` for those to be answered."""
        prepare, then = self.prepare, self.complete if need_outputs else self.asked
        if then is None:
            return prepare

        def both(record: dict[str, Any]) -> dict[str, Any]:
            prepared = prepare(record) if prepare else record
            then(prepared)
            return prepared

        return both
