"""Rows go out as CSV, TSV, JSON Lines or Parquet, by the file's ending, a batch at a time. It knows nothing of what the values mean."""

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from weitiao.config import nearest
from weitiao.data.arrow_package import require_arrow
from weitiao.errors import DataError, UsageError
from weitiao.messages import _

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


class Writer(Protocol):
    """Takes rows. All but JSON Lines have the columns of the first rows that come: a key that a later row lacks is an empty cell there."""

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the rows after those before. Raises DataError for a key that has no column."""
        ...


def check_ending(path: str | Path) -> str:
    """The ending that decides the format. Raises UsageError for one that cannot be written, or not here.

    >>> check_ending("out.CSV")
    '.csv'
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        message = _("{path}: results are written as {endings}; choose one of these endings.").format(
            path=path, endings=_(", ").join(ENDINGS)
        )
        raise UsageError(message + nearest(ending, list(ENDINGS)))
    if ending == ".parquet":
        require_arrow(str(path))
    return ending


@contextmanager
def writer(path: Path, ending: str, numbers: Collection[str] = ()) -> Iterator[Writer]:
    """A writer to ``path`` in the format of ``ending``, closed when the block ends; ``numbers`` names the columns that hold numbers."""
    if ending == ".parquet":
        parquet = _ParquetWriter(path, numbers)
        try:
            yield parquet
        finally:
            parquet.close()
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        yield _JsonLines(file) if ending == ".jsonl" else _Delimited(file, "\t" if ending == ".tsv" else ",")


class _Delimited:
    def __init__(self, file: Any, delimiter: str) -> None:
        self.rows = csv.writer(_LineFeeds(file), delimiter=delimiter, lineterminator="\r\n")
        self.columns = _Columns(".tsv" if delimiter == "\t" else ".csv")

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if not self.columns.names and rows:
            self.rows.writerow(self.columns.of(rows))
        self.columns.check(rows)
        self.rows.writerows([row.get(name) for name in self.columns.names] for row in rows)


class _LineFeeds:
    """Ends rows with a line feed alone. ``csv`` quotes no line end but its own, and a lone carriage return in a text needs quotes too."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, row: str) -> None:
        self.file.write(row.removesuffix("\r\n") + "\n")


class _Columns:
    """The columns of a file that has the same ones in every row."""

    def __init__(self, ending: str) -> None:
        self.ending, self.names, self.rows = ending, list[str](), 0

    def of(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Fixes them from the first rows."""
        self.names = list(dict.fromkeys(name for row in rows for name in row))
        return self.names

    def check(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Raises DataError for a value under any other name: it would be lost."""
        for number, row in enumerate(rows, self.rows + 1):
            new = [name for name in row if name not in self.names and row[name] is not None] if row.keys() - self.names else []
            if new:
                message = _(
                    'Row {row} has the column "{column}", which the {count} rows before lack; a {ending} file has the same columns in'
                )
                message += " " + _("every row. Write to a .jsonl file, which can hold any: --out NAME.jsonl")
                message = message.format(row=number, column=new[0], count=self.rows, ending=self.ending)
                raise DataError(message, row=number, column=new[0])
        self.rows += len(rows)


class _JsonLines:
    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


class _ParquetWriter:
    def __init__(self, path: Path, numbers: Collection[str]) -> None:
        self.path, self.numbers = path, numbers
        self.columns = _Columns(".parquet")
        self.writer: Any = None

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not rows:
            return
        if self.writer is None:
            # Types are told, not guessed: the first batch may hold nothing but gaps in a column.
            schema = pa.schema([(name, pa.float64() if name in self.numbers else pa.string()) for name in self.columns.of(rows)])
            self.writer = pq.ParquetWriter(self.path, schema)
        self.columns.check(rows)
        self.writer.write_table(pa.Table.from_pylist(list(rows), schema=self.writer.schema))

    def close(self) -> None:
        """Write the footer, without which nothing can read the file."""
        if self.writer is not None:
            self.writer.close()
