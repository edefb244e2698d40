"""Records: examples under a task's own field names, kept in columns so that a million of them stay small. Knows no file format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weitiao.errors import DataError
from weitiao.messages import _


@dataclass(frozen=True)
class Records:
    """Examples by field name, each with its row number in the file it came from.

    >>> records = Records({"text": ["good", "bad"], "label": ["1", "0"]}, rows=np.array([2, 3]), source="a.csv")
    >>> records[1], len(records.select([1]))
    ({'text': 'bad', 'label': '0'}, 1)

    Attributes:
        columns: field name -> one value a record.
        rows: (records,) int64, the number a person finds the row under: the line a CSV or JSON Lines record starts on, the sheet's row,
            else counted from 1.
        source: the file's path as it was given.
    """

    columns: dict[str, list[Any]]
    rows: np.ndarray
    source: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: column[index] for name, column in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def blamed(self, row: int, error: DataError) -> DataError:
        """What is wrong with a record, said with its file and row number."""
        message = _("{file}, row {row}: {problem}").format(file=self.source, row=int(row), problem=error)
        return DataError(message, file=self.source, row=int(row), column=error.column)

    def select(self, indices: Sequence[int] | np.ndarray) -> "Records":
        """The records at ``indices``, in that order."""
        columns = {name: [column[i] for i in indices] for name, column in self.columns.items()}
        return Records(columns, self.rows[np.asarray(indices, dtype=np.int64)], self.source)
