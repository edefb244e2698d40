"""Rows go out as CSV, TSV, JSON Lines or Parquet, by the file's ending, a batch at a time. It knows nothing of what the values mean."""

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from weitiao.config import nearest
from weitiao.errors import UsageError
from weitiao.messages import _

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


class Writer(Protocol):
    """Takes rows; every row has the same keys."""

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the rows after those before."""
        ...


def check_ending(path: str | Path) -> str:
    """The ending that decides the format. Raises UsageError for one that cannot be written.

    >>> check_ending("out.CSV")
    '.csv'
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        message = _("{path}: results are written as {endings}; choose one of these endings.").format(path=path, endings=", ".join(ENDINGS))
        raise UsageError(message + nearest(ending, list(ENDINGS)))
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
        self.rows = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        self.header = False

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            if not self.header:
                self.rows.writerow(row.keys())
                self.header = True
            self.rows.writerow(row.values())


class _JsonLines:
    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


class _ParquetWriter:
    def __init__(self, path: Path, numbers: Collection[str]) -> None:
        self.path, self.numbers = path, numbers
        self.writer: Any = None

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not rows:
            return
        if self.writer is None:
            # Types are told, not guessed: the first batch may hold nothing but gaps in a column.
            schema = pa.schema([(name, pa.float64() if name in self.numbers else pa.string()) for name in rows[0]])
            self.writer = pq.ParquetWriter(self.path, schema)
        self.writer.write_table(pa.Table.from_pylist(list(rows), schema=self.writer.schema))

    def close(self) -> None:
        """Write the footer, without which nothing can read the file."""
        if self.writer is not None:
            self.writer.close()
