"""Results are read back as they were written, and no value is moved or lost for want of a column."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from weitiao.data.writing import writer
from weitiao.errors import DataError
from weitiao.runs import atomic

from .conftest import table_of

Rows = Sequence[Mapping[str, Any]]
COLUMNED = [".csv", ".tsv", ".parquet"]


def write_out(path: Path, *batches: Rows) -> str:
    with atomic(path) as temporary, writer(temporary, path.suffix) as sink:
        for rows in batches:
            sink.write(rows)
    return str(path)


@pytest.mark.parametrize("ending", [*COLUMNED, ".jsonl"])
@pytest.mark.parametrize("text", ["a\rb", "a\r", "\ra", "a\nb", "a\r\nb", 'a "b"', "a,b\tc;d", "\u2028", " a ", "\ra\tb\r"])
def test_texts_come_back_equal(tmp_path: Path, ending: str, text: str) -> None:
    table, ledger = table_of(write_out(tmp_path / f"a{ending}", [{"text": text, "label": "1"}, {"text": "plain", "label": "0"}]))
    assert (table.texts("text"), table.texts("label")) == ([text, "plain"], ["1", "0"])
    assert not ledger.entries


def test_rows_end_with_a_line_feed(tmp_path: Path) -> None:
    path = write_out(tmp_path / "a.csv", [{"text": "a", "n": 0.5}, {"text": None, "n": None}], [{"text": "", "n": 2}])
    assert Path(path).read_bytes() == b"text,n\na,0.5\n,\n,2\n"


@pytest.mark.parametrize("ending", COLUMNED)
def test_cells_stand_under_their_own_name(tmp_path: Path, ending: str) -> None:
    first: Rows = [{"text": "a", "label": "1"}, {"text": "b", "note": "x", "label": "0"}]
    path = write_out(tmp_path / f"a{ending}", first, [{"label": "2", "text": "c", "extra": None}])
    table, _ledger = table_of(path)
    assert table.names == ["text", "label", "note"]
    assert [(table[at]["text"], table[at]["label"], table[at]["note"] or "") for at in range(3)] == [
        ("a", "1", ""),
        ("b", "0", "x"),
        ("c", "2", ""),
    ]


@pytest.mark.parametrize("ending", COLUMNED)
def test_a_column_that_comes_too_late_is_refused(tmp_path: Path, ending: str) -> None:
    rows = [{"text": "b", "new": None, "label": "2"}, {"text": "c", "new": "!", "label": "3"}]
    with pytest.raises(DataError, match=r'Row 3 has the column "new", which the 1 rows before lack; .*\.jsonl') as caught:
        write_out(tmp_path / f"a{ending}", [{"text": "a", "label": "1"}], rows)
    assert (caught.value.row, caught.value.column) == (3, "new")
    assert list(tmp_path.iterdir()) == []


def test_json_lines_hold_any_keys(tmp_path: Path, write: Callable[..., str]) -> None:
    table, _ledger = table_of(write_out(tmp_path / "a.jsonl", [{"text": "a"}], [{"new": "x", "text": "b"}]))
    assert (table.texts("text"), table.texts("new")) == (["a", "b"], [None, "x"])
