"""Parquet, Arrow and Excel files become tables of texts. It knows how typed values are spelled, not what they mean.

A column of whole numbers that was stored as floats, only because some cells are blank, is spelled as whole numbers: "1", never "1.0".
"""

import datetime
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weitiao.data.headers import column_names
from weitiao.data.ledger import Ledger
from weitiao.data.table import Table, text_type
from weitiao.errors import DataError, WeitiaoError
from weitiao.messages import _

TEXT = text_type()
_BYTES = 1 << 26  # of one piece, so that long texts come in smaller pieces


def parquet_tables(path: Path, source: str, chunk_rows: int) -> Iterator[Table]:
    """A Parquet file in tables of at most ``chunk_rows``; rows are counted from 1. Raises DataError where it is cut off or damaged."""
    import pyarrow.parquet as pq

    def pieces(names: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        rows = chunk_rows
        if file.metadata.num_rows:
            size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
            rows = max(1, min(chunk_rows, _BYTES * file.metadata.num_rows // max(1, size)))
        return file.iter_batches(batch_size=rows, columns=names)

    with _readable(source, _("a Parquet file")), pq.ParquetFile(path) as file:
        yield from arrow_tables(file.schema_arrow, pieces, source)


def arrow_file_tables(path: Path, source: str, chunk_rows: int) -> Iterator[Table]:
    """An Arrow (Feather version 2) file or stream in tables of at most ``chunk_rows``; rows are counted from 1. Raises DataError."""
    with path.open("rb") as file:
        is_file = file.read(6) == b"ARROW1"

    @contextmanager
    def opened() -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        with pa.memory_map(str(path)) as memory:
            reader = pa.ipc.open_file(memory) if is_file else pa.ipc.open_stream(memory)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else iter(reader)
            yield reader.schema, batches

    def pieces(names: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        with opened() as (_schema, batches):
            for batch in batches:
                rows = max(1, min(chunk_rows, _BYTES * len(batch) // max(1, batch.nbytes)))
                for start in range(0, len(batch), rows):
                    part = batch.slice(start, rows)
                    yield part if names is None else part.select(names)

    with _readable(source, _("an Arrow file")):
        with opened() as (schema, _batches):
            pass
        yield from arrow_tables(schema, pieces, source)


def arrow_tables(schema: pa.Schema, pieces: Callable[..., Iterable[pa.RecordBatch]], source: str) -> Iterator[Table]:
    """Tables of texts from typed record batches.

    Args:
        schema: the columns and their types.
        pieces: gives the batches from the beginning, all columns or those named.
        source: the file.
    """
    names = column_names(schema.names, source)
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    fractional = _fractional(pieces(floats), floats) if floats else set()
    at, begun = 0, False
    for batch in pieces():
        # A damaged file can hold offsets that point anywhere and bytes that are no UTF-8; nothing below looks again.
        batch.validate(full=True)
        columns = {}
        for name, field, column in zip(names, schema, batch.columns, strict=True):
            columns[name] = pa.chunked_array([written(column, whole=field.name in floats and field.name not in fractional)], type=TEXT)
        yield Table(columns, np.arange(at + 1, at + len(batch) + 1, dtype=np.int64), source)
        at, begun = at + len(batch), True
    if not begun:
        yield Table.of(names, [], [], source)


def written(column: pa.Array, *, whole: bool = False) -> pa.Array:
    """Typed values as texts; ``whole`` spells floats without a fraction.

    >>> written(pa.array([1.0, 0.5, None])).to_pylist(), written(pa.array([1.0, None]), whole=True).to_pylist()
    (['1.0', '0.5', None], ['1', None])
    >>> written(pa.array([True])).to_pylist(), written(pa.array([[1, 2]])).to_pylist()
    (['true'], ['[1, 2]'])
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return written(column.dictionary_decode())
    if pa.types.is_null(kind):
        return pa.nulls(len(column), TEXT)
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
        texts = column.cast(TEXT)
        bare = pc.match_substring_regex(texts, r"^-?\d+$")
        return texts if whole else pc.if_else(bare, pc.binary_join_element_wise(texts, pa.scalar("0", TEXT), pa.scalar(".", TEXT)), texts)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([_spelled(value) for value in column.to_pylist()], type=TEXT)
    return column.cast(TEXT)


def workbook_tables(path: Path, source: str, ledger: Ledger, chunk_rows: int) -> Iterator[Table]:
    """The first sheet of an Excel workbook; rows are the sheet's own. Raises DataError where it is damaged or has no cells."""
    import warnings

    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions, which do not matter here
            book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # zip, zlib, XML and a workbook's own rules: a dozen types
        raise _damaged(source, _("an Excel workbook"), error) from error
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # some programs write wrong ones, and rows would be cut
        names: list[str] = []
        cells: list[list[str | None]] = []
        rows: list[int] = []
        begun = False
        for row, values in enumerate(sheet.iter_rows(values_only=True), 1):
            texts = [_spelled(value) for value in values]
            if not any(texts):
                continue
            if not names:
                while texts and not texts[-1]:
                    texts.pop()
                names = column_names(texts, source, row)
                continue
            # Cells beyond the header's last are notes in the margin; a sheet leaves trailing blanks out.
            cells.append((texts + [None] * len(names))[: len(names)])
            rows.append(row)
            if len(texts) > len(names) and any(texts[len(names) :]):
                ledger.add(source, row, "repaired", "cells_outside_table")
            if len(cells) >= chunk_rows:
                yield _noted(Table.of(names, cells, rows, source, ledger), sheet.title, book.sheetnames)
                cells, rows, begun = [], [], True
        if cells or (names and not begun):
            yield _noted(Table.of(names, cells, rows, source, ledger), sheet.title, book.sheetnames)
    except WeitiaoError:
        raise
    except Exception as error:
        raise _damaged(source, _("an Excel workbook"), error) from error
    finally:
        book.close()


def _noted(table: Table, sheet: str, sheets: list[str]) -> Table:
    if len(sheets) < 2:
        return table
    message = _('{file} has {count} sheets ({sheets}): the first, "{sheet}", is read. Save another one as a file of its own to read it.')
    note = message.format(file=table.source, count=len(sheets), sheets=", ".join(sheets), sheet=sheet)
    return Table(table.columns, table.rows, table.source, (note,))


def _fractional(pieces: Iterable[pa.RecordBatch], names: list[str]) -> set[str]:
    """Which float columns hold anything but whole numbers and blanks."""
    found: set[str] = set()
    for batch in pieces:
        for name in names:
            if name not in found:
                values = batch.column(name).cast(pa.float64()).drop_null().to_numpy(zero_copy_only=False)
                values = values[~np.isnan(values)]
                # Beyond 2**53 every float is whole, and its digits would be invented.
                if not bool(np.all((values == np.floor(values)) & (np.abs(values) < 2**53))):
                    found.add(name)
    return found


def _spelled(value: Any) -> str | None:
    """One Python value as a text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # A workbook does not tell 1 from 1.0.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    if isinstance(value, bytes):
        return _decoded(value)
    return json.dumps(value, ensure_ascii=False, default=_nested) if isinstance(value, (list, dict, tuple)) else str(value)


def _nested(value: Any) -> str:
    return _decoded(value) if isinstance(value, bytes) else str(value)


def _decoded(value: bytes) -> str:
    """Texts are sometimes stored as bytes; anything else that is (an image, say) only shows its size."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return f"<{len(value)} bytes>"


@contextmanager
def _readable(source: str, kind: str) -> Iterator[None]:
    """Turns what Arrow says about a damaged file into a DataError."""
    try:
        yield
    except WeitiaoError:
        raise
    except Exception as error:  # Arrow's own errors, and whatever its damaged names and offsets lead to
        raise _damaged(source, kind, error) from error


def _damaged(source: str, kind: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200]
    message = _("{file} cannot be read as {kind}: it is damaged or was cut off ({reason}). Get or write it again.")
    return DataError(message.format(file=source, kind=kind, reason=reason), file=source)
