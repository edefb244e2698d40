"""Excel workbooks: sheets, nameless columns, and formulas that were saved without their values."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from weitiao.data.ledger import Ledger
from weitiao.data.reading import Reading, iter_tables
from weitiao.errors import DataError

from .conftest import loaded, table_of

Sheet = Iterable[Iterable[Any]]


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., str]:
    """Writes a workbook, its sheets in order."""
    from openpyxl import Workbook

    def save(**sheets: Sheet) -> str:
        made = Workbook()
        made.remove(made.active)
        for title, rows in sheets.items():
            sheet = made.create_sheet(title)
            for row in rows:
                sheet.append(list(row))
        made.save(path := tmp_path / "a.xlsx")
        return str(path)

    return save


def test_a_nameless_column_is_numbered_as_in_csv(book: Callable[..., str], write: Callable[..., str]) -> None:
    rows = [("the text of it", 1), ("another text", 0), ("a third one", None), ("one more", 1)]
    table, ledger = table_of(book(data=[("text", None), *rows]))
    again, _ledger = table_of(write("a.csv", "text,\n" + "".join(f"{text},{'' if label is None else label}\n" for text, label in rows)))
    assert table.names == again.names == ["text", "column_2"]
    assert [label or "" for label in table.texts("column_2")] == again.texts("column_2") == ["1", "0", "", "1"]
    assert not ledger.entries
    gap, _ledger = table_of(book(data=[("text",), *((text, None, "x") for text, _label in rows)]))
    assert gap.names == ["text", "column_2", "column_3"]


def test_notes_in_the_margin_are_listed(book: Callable[..., str]) -> None:
    table, ledger = table_of(book(data=[("text", "label"), ("a", 1), ("b", 0, None, "look again"), ("c", 1)]))
    assert table.names == ["text", "label"]
    assert [(entry.row, entry.reason) for entry in ledger.entries] == [(3, "cells_outside_table")]


def test_pieces_have_the_same_columns(book: Callable[..., str]) -> None:
    path = book(data=[("text", None), *((f"row {row}", row) for row in range(7))])
    tables = list(iter_tables(path, Reading(chunk_rows=3), Ledger()))
    assert [(len(table), table.names) for table in tables] == [(size, ["text", "column_2"]) for size in (3, 3, 1)]


def test_other_sheets_are_named_where_the_first_has_no_rows(book: Callable[..., str]) -> None:
    for first in ([("text", "label")], [()]):
        with pytest.raises(DataError, match=r'the first sheet, "cover", has no rows.*others do: data, more\. Move'):
            table_of(book(cover=first, none=[()], data=[("text",), ("a",)], more=[("b",)]))
    with pytest.raises(DataError, match=r"has a header \(text, label\) but no rows"):
        table_of(book(cover=[("text", "label")], none=[()]))


def test_formulas_without_values_are_the_reason_that_is_given(book: Callable[..., str]) -> None:
    rows = [(f"the text number {row}", f'=IF({row}>9,"a","b")', None) for row in range(20)]
    path = book(data=[("text", "label", "note"), *rows])
    assert table_of(path)[0].unsaved == ("label",)
    with pytest.raises(DataError, match=r'the Label is empty in all 20 rows .*The formulas in "label" were saved without their values'):
        loaded(path)
    with pytest.raises(DataError, match=r'no column looks like the Label.*formulas in "result" were saved without'):
        loaded(book(data=[("text", "result"), *((text, formula) for text, formula, _note in rows)]))
    with pytest.raises(DataError, match=r'the Text is empty in all 1 rows \(column "text"\)\.[^.]*NAME\.$'):
        loaded(book(data=[("text", "label"), (None, "x")]))
