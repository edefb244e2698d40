"""Files, folders and shares become splits; the plan of a run is fitted to other files; large files come in pieces."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weitiao.config import DataSettings
from weitiao.data.cleaning import to_records
from weitiao.data.ledger import Ledger
from weitiao.data.loading import fit_plan, load, read_records
from weitiao.data.reading import Reading, iter_tables
from weitiao.data.schema import Schema
from weitiao.errors import DataError
from weitiao.observer import Observer

from .conftest import SCHEMA, TEXT, loaded, rows_csv


class Notes(Observer):
    """Remembers notes and progress."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.rows = 0

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, stage: str, done: int, total: int | None, figures: object) -> None:
        self.rows = done


def sizes(data: object) -> dict[str, int]:
    return {name: len(records) for name, records in data.splits.items()}  # type: ignore[attr-defined]


def test_one_file_and_shares(write: Callable[..., str]) -> None:
    data = loaded(path := write("a.csv", rows_csv(100)))
    assert sizes(data) == {"train": 80, "validation": 10, "test": 10}
    assert data.sources == dict.fromkeys(["train", "validation", "test"], path)
    assert data.plan.fields == {"text": ("text",), "label": ("label",)}
    assert sizes(loaded(path, valid="0.25", test="0")) == {"train": 75, "validation": 25}
    assert sizes(loaded(path, valid="0", test="")) == {"train": 100}


def test_given_files_win(write: Callable[..., str]) -> None:
    train, held = write("train.csv", rows_csv(100)), write("held.csv", rows_csv(20).replace("number", "no."))
    notes = Notes()
    data = load(train, DataSettings(valid=held), SCHEMA, observer=notes)
    assert sizes(data) == {"train": 100, "validation": 20}
    assert "No test set was given" in notes.notes[0]
    assert notes.rows == 20
    assert sizes(loaded(train, test=held)) == {"train": 90, "validation": 10, "test": 20}
    assert sizes(loaded(train, valid=held, test="0.2")) == {"train": 80, "validation": 20, "test": 20}
    assert sizes(loaded(train, valid=held, test=held)) == {"train": 100, "validation": 20, "test": 20}


@pytest.mark.parametrize(
    "names", [("train.csv", "val.csv", "test.csv"), ("training.csv", "dev.csv", "test.csv"), ("Train.csv", "valid.csv", "TEST.csv")]
)
def test_folder(write: Callable[..., str], tmp_path: Path, names: tuple[str, str, str]) -> None:
    for name, rows in zip(names, (60, 20, 10), strict=True):
        write(f"data/{name}", rows_csv(rows))
    write("data/README.md", "about")
    data = loaded(str(tmp_path / "data"))
    assert sizes(data) == {"train": 60, "validation": 20, "test": 10}
    assert [Path(source).name for source in data.sources.values()] == list(names)


def test_folder_with_two_files_for_one_split(write: Callable[..., str], tmp_path: Path) -> None:
    write("data/train.csv", rows_csv())
    write("data/train.jsonl", '{"text": "a", "label": "b"}')
    with pytest.raises(DataError, match=r"several files for train: train\.csv, train\.jsonl"):
        loaded(str(tmp_path / "data"))


def test_shards(write: Callable[..., str], tmp_path: Path) -> None:
    for shard in range(2):
        rows = pa.table({"text": [f"shard {shard} row {i}" for i in range(20)], "label": ["a", "b"] * 10})
        pq.write_table(rows, write(f"data/train-0000{shard}-of-00002.parquet", b""))
    data = loaded(str(tmp_path / "data"), valid="0", test="0")
    assert data.splits["train"].rows.tolist() == list(range(1, 41))
    assert data.sources["train"].endswith("train-*.parquet")


def test_drop_duplicates(write: Callable[..., str]) -> None:
    doubled = rows_csv(40) + "The Parcel number 0 was broken today,bad\n"
    held = write("held.csv", "text,label\nthe refund number 1 was fine today,good\n" + "\n".join(rows_csv(60).splitlines()[42:]))
    path = write("a.csv", doubled)
    assert sizes(loaded(path, test=held, valid="0"))["train"] == 41
    data = loaded(path, test=held, valid="0", drop_duplicates=True)
    assert sizes(data) == {"train": 39, "test": 20}
    assert data.ledger.counts() == {"dropped:in_test": 1, "dropped:exact_duplicate": 1}


def test_several_text_columns(write: Callable[..., str]) -> None:
    path = write("a.csv", "title,body,label\n" + "".join(f"title {i},{'' if i == 3 else f'body {i}'},{i % 2}\n" for i in range(20)))
    data = loaded(path, text=("title", "body"), text_separator=" | ", valid="0", test="0")
    assert data.splits["train"].columns["text"][2:4] == ["title 2 | body 2", "title 3"]


def test_labels_are_kept_as_written_but_for_white_space(write: Callable[..., str]) -> None:
    data = loaded(
        write("a.csv", "text,label\n" + "".join(f"text {i},{(' Yes', 'yes ', 'None of these')[i % 3]}\n" for i in range(30))), test="0"
    )
    assert set(data.splits["train"].columns["label"]) == {"Yes", "yes", "None of these"}
    assert data.ledger.counts() == {"repaired:label_whitespace": 20}


def test_fingerprints_depend_on_content_alone(write: Callable[..., str]) -> None:
    given = rows_csv(60)
    rows = [line.rsplit(",", 1) for line in given.splitlines()[1:]]
    pq.write_table(
        pa.table({"id": list(range(60)), "label": [row[1] for row in rows], "text": [row[0] for row in rows]}),
        other := write("b.parquet", b""),
    )
    first, again, changed = (
        loaded(write("a.csv", given)),
        loaded(other),
        loaded(write("c.csv", given.replace("parcel number 0", "parcel number x"))),
    )
    assert first.fingerprints == again.fingerprints
    assert first.fingerprints["train"] != changed.fingerprints["train"]


def test_evaluation_on_another_file(write: Callable[..., str], tmp_path: Path) -> None:
    plan = loaded(write("a.csv", rows_csv())).plan
    records, ledger = read_records(write("b.csv", "label,text\ngood,well done\n,no label here\n"), plan, SCHEMA)
    assert (records.columns, records.rows.tolist()) == ({"text": ["well done"], "label": ["good"]}, [2])
    assert ledger.counts() == {"dropped:missing_label": 1}
    other = write("c.csv", "label,words,kind\nx,well done,good\n")
    with pytest.raises(DataError, match=r'c\.csv has no column "text"'):
        read_records(other, plan, SCHEMA)
    named = replace(SCHEMA, columns={"text": ("words",), "label": ("kind",)})
    assert read_records(other, plan, named)[0][0] == {"text": "well done", "label": "good"}
    write("data/test.csv", rows_csv(8))
    assert len(read_records(str(tmp_path / "data"), plan, SCHEMA)[0]) == 8


def test_prediction_streams(write: Callable[..., str]) -> None:
    plan = loaded(write("a.csv", rows_csv())).plan
    lines = ["id,text,label", *(f"{i},{'' if i == 4 else f'row {i}'},{'good' if i % 2 else ''}" for i in range(10))]
    ledger = Ledger()
    tables = list(iter_tables(write("b.csv", "\n".join(lines)), Reading(chunk_rows=4), ledger))
    assert [len(table) for table in tables] == [4, 4, 2]
    fitted = fit_plan(tables[0], plan, SCHEMA, need_outputs=False)
    pieces = [to_records(table, fitted, ledger, need_outputs=False) for table in tables]
    assert [row["label"] for records in pieces for row in records] == [None, "good", None, "good", "good", None, "good", None, "good"]
    # Row numbers rise, so that the answers find their rows again.
    assert [tables[1][i]["id"] for i in np.searchsorted(tables[1].rows, pieces[1].rows)] == ["5", "6", "7"]
    assert ledger.counts() == {"dropped:empty_text": 1}


def test_prediction_needs_no_label_and_no_name(write: Callable[..., str]) -> None:
    plan = loaded(write("a.csv", rows_csv())).plan
    for source in (
        write("b.csv", "text\ngood\n"),
        write("c.txt", "good\n"),
        write("d.csv", "评价\ngood\n"),
        write("e.csv", "id,text\n1,good\n"),
    ):
        for schema in (SCHEMA, Schema([TEXT], [])):
            (table,) = iter_tables(source)
            fitted = fit_plan(table, plan, schema, need_outputs=False)
            assert to_records(table, fitted, Ledger(), need_outputs=False).columns == {"text": ["good"]}
    (table,) = iter_tables(write("f.csv", "a,b\ngood,bad\n"))
    with pytest.raises(DataError, match=r'f\.csv has no column "text"'):
        fit_plan(table, plan, Schema([TEXT], []), need_outputs=False)


def test_a_key_that_json_lines_leave_out_is_null_in_every_later_piece(write: Callable[..., str]) -> None:
    path = write("b.jsonl", '{"text": "one", "label": "good"}\n{"text": "two"}\n{"id": 3}\n')
    tables = list(iter_tables(path, Reading(chunk_rows=1)))
    assert [table.names for table in tables] == [["text", "label"], ["text", "label"], ["text", "label", "id"]]
    assert [table.texts("text") for table in tables] == [["one"], ["two"], [None]]


@pytest.mark.parametrize(("typed", "meant"), [("\\n", "\n"), ("\n", "\n"), ("\\t", "\t"), (" / ", " / ")])
def test_a_separator_as_a_shell_hands_it_over(typed: str, meant: str, write: Callable[..., str]) -> None:
    rows = "title,body,label\n" + "".join(f"t{i},b{i},{i % 2}\n" for i in range(40))
    data = loaded(write("a.csv", rows), text=("title", "body"), label=("label",), text_separator=typed, valid="0", test="0")
    assert data.splits["train"].columns["text"][3] == f"t3{meant}b3"
