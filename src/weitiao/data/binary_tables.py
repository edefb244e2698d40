"""Parquet, Arrow and Excel files become tables of texts. It knows how typed values are spelled, not what they mean.

A column of whole numbers that was stored as floats, only because some cells are blank, is spelled as whole numbers: "1", never "1.0".
"""

import dataclasses
import datetime
import functools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
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
_LOOKED_AT = 1000  # rows of a sheet that say how wide its table is
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
    """The first sheet of an Excel workbook; rows are the sheet's own.

    Raises:
        DataError: the workbook is damaged, or its first sheet has no rows and another one has.
    """
    try:
        book = _opened(path)
    except Exception as error:  # zip, zlib, XML and a workbook's own rules: a dozen types
        raise _damaged(source, _("an Excel workbook"), error) from error
    try:
        sheet = book.worksheets[0]
        rows = _filled_rows(sheet)
        header_row, header = next(rows, (0, []))
        first = list(islice(rows, min(chunk_rows, _LOOKED_AT)))
        if not first:
            _refuse_empty(book, source)
        names = column_names(_with_nameless(header, [texts for _row, texts in first]), source, header_row) if header else []
        formulas = functools.cache(lambda: _formulas(path, len(names)))
        pieces = chain(first, rows)
        while piece := list(islice(pieces, chunk_rows)):
            for row, texts in piece:
                # Cells beyond the last column are notes in the margin; a sheet leaves trailing blanks out.
                if any(texts[len(names) :]):
                    ledger.add(source, row, "repaired", "cells_outside_table")
            cells = [(texts + [None] * len(names))[: len(names)] for _row, texts in piece]
            table = Table.of(names, cells, [row for row, _texts in piece], source, ledger)
            empty = [at for at, column in enumerate(zip(*cells, strict=True)) if not any(column)]
            unsaved = tuple(names[at] for at in empty if at in formulas())
            yield _noted(dataclasses.replace(table, unsaved=unsaved), sheet.title, book.sheetnames)
        if names and not first:
            yield _noted(Table.of(names, [], [], source, ledger), sheet.title, book.sheetnames)
    except WeitiaoError:
        raise
    except Exception as error:
        raise _damaged(source, _("an Excel workbook"), error) from error
    finally:
        book.close()


def _opened(path: Path, *, values: bool = True) -> Any:
    """The workbook, to be read row by row: the values that its formulas had when it was saved, or the formulas."""
    import warnings

    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions, which do not matter here
        book = load_workbook(path, read_only=True, data_only=values)
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # some programs write wrong ones, and rows would be cut
    return book


def _filled_rows(sheet: Any) -> Iterator[tuple[int, list[str | None]]]:
    """The rows that hold something, as texts, each with its number."""
    for row, values in enumerate(sheet.iter_rows(values_only=True), 1):
        texts = [_spelled(value) for value in values]
        if any(texts):
            yield row, texts


def _with_nameless(header: list[str | None], rows: list[list[str | None]]) -> list[str | None]:
    """The header up to its last name, or to the last column behind it that half of the rows fill; what fewer fill is a margin."""
    width = max((at for at, text in enumerate(header, 1) if text), default=0)
    filled = Counter(at for texts in rows for at, text in enumerate(texts[width:], width + 1) if text)
    width = max([width, *(at for at, count in filled.items() if 2 * count >= len(rows))])
    return (header + [None] * width)[:width]


def _formulas(path: Path, columns: int) -> set[int]:
    """Which of the first columns of the first sheet, counted from 0, hold formulas. A column full of them has some in its first rows."""
    book = _opened(path, values=False)
    try:
        cells = (cell for row in book.worksheets[0].iter_rows(max_row=_LOOKED_AT, max_col=columns) for cell in row)
        return {cell.column - 1 for cell in cells if getattr(cell, "data_type", "") == "f"}
    finally:
        book.close()


def _refuse_empty(book: Any, source: str) -> None:
    """Raises DataError where the first sheet has no rows and another one does."""
    sheet, *others = book.worksheets
    filled = [other.title for other in others if next(_filled_rows(other), None)]
    if filled:
        message = _('{file}: the first sheet, "{sheet}", has no rows, and that is the one that is read; others do: {sheets}.')
        message = message.format(file=source, sheet=sheet.title, sheets=_(", ").join(filled))
        raise DataError(message + " " + _("Move the right one to the front, or save it as a file of its own."), file=source)


def _noted(table: Table, sheet: str, sheets: list[str]) -> Table:
    if len(sheets) < 2:
        return table
    message = _('{file} has {count} sheets ({sheets}): the first, "{sheet}", is read. Save another one as a file of its own to read it.')
    note = message.format(file=table.source, count=len(sheets), sheets=_(", ").join(sheets), sheet=sheet)
    return dataclasses.replace(table, notes=(note,))


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
