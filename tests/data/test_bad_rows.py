"""One limit of unreadable rows holds for a file, whoever finds them: the reader, or cleaning, whole or in pieces."""

from collections.abc import Callable
from pathlib import Path

import pytest

from weitiao.config import DataSettings
from weitiao.data.bad_rows import BadRows
from weitiao.data.cleaning import to_records
from weitiao.data.columns import plan_columns
from weitiao.data.ledger import Ledger
from weitiao.data.loading import load, read_records
from weitiao.data.reading import Reading, iter_tables
from weitiao.data.schema import Schema
from weitiao.errors import DataError
from weitiao.fields import Field

from .conftest import TEXT

NUMBERS = Schema([TEXT], [Field("score", "number", "Score", flag="score", hints=("score",))])
ROWS = "text,score\ngood,1\nragged\nbad,high\nfine,2\n"  # row 3 cannot be read, row 4 not understood
NOTHING_HELD = {"valid": "0", "test": "0"}


def test_reading_and_cleaning_count_together(write: Callable[..., str]) -> None:
    path = write("a.csv", ROWS)
    with pytest.raises(DataError, match=r"a\.csv, row 3: .*2 rows cannot be read \(3, 4\).*--max-bad-rows 2"):
        load(path, DataSettings(max_bad_rows=1, **NOTHING_HELD), NUMBERS)
    data = load(path, DataSettings(max_bad_rows=2, **NOTHING_HELD), NUMBERS)
    assert data.splits["train"].rows.tolist() == [2, 5]
    assert data.ledger.counts() == {"dropped:ragged_row": 1, "dropped:bad_score": 1}
    with pytest.raises(DataError, match="2 rows cannot be read"):
        read_records(path, data.plan, NUMBERS, reading=Reading(max_bad_rows=1))
    assert len(read_records(path, data.plan, NUMBERS, reading=Reading(max_bad_rows=2))[0]) == 2


def test_every_file_has_its_own_limit(write: Callable[..., str]) -> None:
    path = write("a.csv", ROWS)
    data = load(path, DataSettings(max_bad_rows=2, valid=path, test=path), NUMBERS)
    assert {name: len(records) for name, records in data.splits.items()} == {"train": 2, "validation": 2, "test": 2}


def test_shards_are_one_file(write: Callable[..., str], tmp_path: Path) -> None:
    for shard in range(2):
        write(f"data/train-0000{shard}-of-00002.csv", ROWS)
    folder = str(tmp_path / "data")
    with pytest.raises(DataError, match=r"train-00000-of-00002\.csv, row 3: .*4 rows cannot be read"):
        load(folder, DataSettings(max_bad_rows=3, **NOTHING_HELD), NUMBERS)
    # Rows are counted on over the shards: those of the joined table are never taken for those that a shard's reader left out.
    assert load(folder, DataSettings(max_bad_rows=4, **NOTHING_HELD), NUMBERS).splits["train"].columns["score"] == [1.0, 2.0, 1.0, 2.0]


@pytest.mark.parametrize("limit", [3, 4])
def test_pieces_count_together(write: Callable[..., str], limit: int) -> None:
    path = write("a.csv", "text,score\n" + "good,1\nragged\nbad,high\n" * 2)
    ledger = Ledger()
    bad = BadRows(path, limit, ledger)

    def scores() -> list[float]:
        tables = iter_tables(path, Reading(chunk_rows=1, max_bad_rows=limit), ledger, bad)
        plans = ((table, plan_columns(table, NUMBERS.inputs, NUMBERS.outputs)) for table in tables)
        return [score for table, plan in plans for score in to_records(table, plan, ledger, bad=bad).columns["score"]]

    if limit == 4:
        assert scores() == [1.0, 1.0]
        assert sorted(entry.row for entry in ledger.entries) == [3, 4, 6, 7]
    else:
        with pytest.raises(DataError, match="4 rows cannot be read"):
            scores()


@pytest.mark.parametrize("rows", [1, 3, 1500])
@pytest.mark.parametrize("row", ["a good text,high\n", "ragged\n"])
def test_rows_are_not_to_be_left_out_where_none_would_be_left(write: Callable[..., str], row: str, rows: int) -> None:
    path = write("a.csv", "text,score\n" + row * rows)
    with pytest.raises(DataError, match=rf"No row could be read \({min(rows, 1000)} were tried\)") as caught:
        load(path, DataSettings(**NOTHING_HELD), NUMBERS)
    assert "--max-bad-rows" not in str(caught.value)


@pytest.mark.parametrize("row", ["a good text,high\n", "ragged\n"])
def test_of_very_many_bad_rows_no_number_is_made_up(write: Callable[..., str], row: str) -> None:
    path = write("a.csv", "text,score\na good text,1\n" + row * 1500)
    with pytest.raises(DataError, match=r"1000 rows or more cannot be read \(.*say with --max-bad-rows how many"):
        load(path, DataSettings(**NOTHING_HELD), NUMBERS)


def test_rows_that_are_fine_count_beside_very_many_bad_ones(write: Callable[..., str]) -> None:
    """Whatever is wrong with the bad ones, and wherever they stand: empty texts that were to be written, and two fields in turn."""
    summaries = Schema([TEXT], [Field("summary", "text", "Summary", flag="summary", hints=("summary",))])
    path = write("a.csv", "text,summary\n" + "long,short\n" * 2000 + "long,\n" * 1200)
    with pytest.raises(DataError, match="1000 rows or more cannot be read"):
        load(path, DataSettings(**NOTHING_HELD), summaries)
    both = Schema([TEXT], [Field(name, "number", name, flag=name, hints=(name,)) for name in ("x", "y")])
    rows = [f"text {row},{'high' if row >= 2000 else 1},{'low' if 500 <= row < 600 else 2}\n" for row in range(2950)]
    with pytest.raises(DataError, match="1000 rows or more cannot be read"):
        load(write("b.csv", "text,x,y\n" + "".join(rows)), DataSettings(**NOTHING_HELD), both)
