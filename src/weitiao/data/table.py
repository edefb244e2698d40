"""A table: what a file holds before anybody says what it means. It knows no file format and no task.

Every value is a text exactly as it was written; what it means is decided later, so that one blank label can never turn classes into
floats. Columns are NumPy arrays of packed UTF-8: a million short rows take some 60 MB rather than a million dicts.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from weitiao.data.ledger import Ledger

# None where the file has nothing; what is no text is refused, never spelled in NumPy's way.
TEXTS: Any = np.dtypes.StringDType(na_object=None, coerce=False)
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Table:
    """Named columns of texts, each row with its number in the file.

    >>> table = Table.of(["text", "label"], [["good", "1"], ["bad", None]], [2, 3], source="a.csv")
    >>> len(table), table.names, table.texts("label"), table[1]
    (2, ['text', 'label'], ['1', None], {'text': 'bad', 'label': None})

    Attributes:
        columns: column name -> (rows,) ``TEXTS`` as they were written; None where the file has nothing.
        rows: (rows,) int64, counted as ``Records`` says.
        source: the file as it was given.
        notes: sentences that people should read, such as which sheet of a workbook was taken.
        mended: rows in which half characters were replaced and no ledger was there to say so.
        unsaved: columns with nothing in them because their formulas were saved without values.
        made: column -> those it was made from, where a task's own layout was read: who uses it uses these.
    """

    columns: dict[str, np.ndarray]
    rows: np.ndarray
    source: str = ""
    notes: tuple[str, ...] = ()
    mended: tuple[int, ...] = ()
    unsaved: tuple[str, ...] = ()
    made: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        cells: Sequence[Sequence[str | None]],
        rows: Sequence[int] | np.ndarray,
        source: str = "",
        ledger: Ledger | None = None,
    ) -> "Table":
        """A table from rows of cells, every row as long as ``names``. Half characters, which no encoding can hold, are replaced."""
        by_column = list(zip(*cells, strict=True)) if cells else [()] * len(names)
        columns = {}
        mended = Ledger() if ledger is None else ledger
        for name, values in zip(names, by_column, strict=True):
            try:
                columns[name] = np.array(values, dtype=TEXTS)
            except UnicodeEncodeError:  # JSON can spell half of an emoji: "\ud83d"
                columns[name] = np.array(_whole(values, rows, source, mended), dtype=TEXTS)
        told = () if ledger is not None else tuple(entry.row for entry in mended.entries)
        return cls(columns, np.asarray(rows, dtype=np.int64), source, mended=told)

    @classmethod
    def concat(cls, tables: Sequence["Table"]) -> "Table":
        """One table below the other; a column that one of them lacks is None there. At least one table, all of the same source."""
        if len(tables) == 1:
            return replace(tables[0], mended=())
        names = list(dict.fromkeys(name for table in tables for name in table.columns))
        columns = {
            name: np.concatenate(
                [table.columns[name] if name in table.columns else np.full(len(table), None, dtype=TEXTS) for table in tables]
            )
            for name in names
        }
        notes = tuple(dict.fromkeys(note for table in tables for note in table.notes))
        # What one piece has is no column without values.
        unsaved = tuple(name for name in names if all(name in table.unsaved for table in tables))
        made = {name: of for table in tables for name, of in table.made.items()}
        return cls(columns, np.concatenate([table.rows for table in tables]), tables[0].source, notes, unsaved=unsaved, made=made)

    @property
    def names(self) -> list[str]:
        """The columns' names in the file's order."""
        return list(self.columns)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, str | None]:
        return {name: column[index] for name, column in self.columns.items()}

    def texts(self, name: str) -> list[str | None]:
        """A column as Python texts, None where the file has nothing."""
        texts: list[str | None] = self.columns[name].tolist()
        return texts

    def with_column(self, name: str, texts: Iterable[str | None], note: str = "", *, made_of: Iterable[str] = ()) -> "Table":
        """The table with one more column, or with another in the place of the one of that name; ``note`` joins its notes."""
        columns = {**self.columns, name: np.array(list(texts), dtype=TEXTS)}
        made = {**self.made, name: tuple(made_of)}
        return replace(self, columns=columns, notes=(*self.notes, note) if note else self.notes, made=made)

    def read_from(self, names: Iterable[str]) -> set[str]:
        """Columns and, of those that were made from others, these others too.

        >>> made = Table.of(["a", "b"], [["1", "2"]], [1]).with_column("ab", ["12"], made_of=("a", "b"))
        >>> sorted(made.read_from(["ab"]))
        ['a', 'ab', 'b']
        """
        return {column for name in names for column in (name, *self.made.get(name, ()))}

    def head(self, rows: int) -> "Table":
        """The first rows."""
        return replace(self, columns={name: column[:rows] for name, column in self.columns.items()}, rows=self.rows[:rows])

    def take(self, indices: Sequence[int] | np.ndarray) -> "Table":
        """The rows at ``indices``, in that order."""
        wanted = np.asarray(indices, dtype=np.int64)
        columns = {name: column[wanted] for name, column in self.columns.items()}
        return replace(self, columns=columns, rows=self.rows[wanted])


def has_half_characters(text: str) -> bool:
    """Whether a text holds lone surrogates: half a character, or a byte that was no text, which no encoding can hold."""
    return bool(_SURROGATES.search(text))


def _whole(values: Iterable[Any], rows: Sequence[int] | np.ndarray, source: str, ledger: Ledger) -> list[str | None]:
    """``values`` with half characters replaced by U+FFFD, each in the ledger."""
    whole: list[str | None] = []
    for row, value in zip(rows, values, strict=True):
        if value is not None and has_half_characters(value):
            value = _SURROGATES.sub("\ufffd", value)
            ledger.add(source, row, "repaired", "half_character")
        whole.append(value)
    return whole
