"""Excel workbooks become tables of texts. It knows sheets and cells, not what they mean."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from weitiao.data.headers import column_names
from weitiao.data.ledger import Ledger
from weitiao.data.table import Table
from weitiao.data.typed_values import damaged, spelled
from weitiao.errors import DataError, WeitiaoError
from weitiao.messages import _

_LOOKED_AT = 1000  # rows of a sheet that say how wide its table is


def workbook_tables(path: Path, source: str, ledger: Ledger, chunk_rows: int) -> Iterator[Table]:
    """The first sheet of an Excel workbook; rows are the sheet's own.

    Raises:
        DataError: the workbook is damaged, or its first sheet has no rows and another one has.
    """
    try:
        book = _opened(path)
    except Exception as error:  # zip, zlib, XML and a workbook's own rules: a dozen types
        raise damaged(source, _("an Excel workbook"), error) from error
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
        raise damaged(source, _("an Excel workbook"), error) from error
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
        texts = [spelled(value) for value in values]
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
