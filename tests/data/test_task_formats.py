"""What a task adds to reading: values of its own types, its own check of a record, its own files and layouts."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pytest

from weitiao.config import DataSettings
from weitiao.data.ledger import Ledger
from weitiao.data.loading import Loaded, load, read_records
from weitiao.data.reading import Reading, iter_tables
from weitiao.data.schema import Schema
from weitiao.data.table import Table
from weitiao.errors import DataError
from weitiao.fields import Field

from .conftest import SCHEMA, TEXT, loaded, rows_csv

SCORE = Field("score", "number", "Score", flag="score", hints=("score",))
NUMBERS = Schema([TEXT], [SCORE])


def everything(source: str, schema: Schema, **settings: Any) -> Loaded:
    """The file with nothing held out."""
    return load(source, DataSettings(**{"valid": "0", "test": "0", **settings}), schema)


def scores_csv(*cells: str) -> str:
    return "text,score\n" + "".join(f"a text with number {row},{cell}\n" for row, cell in enumerate(cells))


def lines(data: Loaded) -> list[tuple[int, str, str]]:
    """The ledger's lines: row, what was done, why."""
    return [(entry.row, entry.action, entry.reason) for entry in data.ledger.entries]


def test_numbers_that_cannot_be_understood_are_counted_as_bad_rows(write: Callable[..., str]) -> None:
    path = write("a.csv", scores_csv("1", "high", "2.5", "inf", "3"))
    with pytest.raises(DataError) as caught:
        everything(path, NUMBERS)
    assert str(caught.value).startswith(f'{path}, row 3: column "score": a number was expected, and it holds «high».')
    assert "2 rows cannot be read (3, 5): repair them, or leave them out with --max-bad-rows 2." in str(caught.value)
    assert caught.value.row == 3
    data = everything(path, NUMBERS, max_bad_rows=2)
    assert data.splits["train"].columns["score"] == [1.0, 2.5, 3.0]
    assert data.splits["train"].rows.tolist() == [2, 4, 6]


def test_a_row_that_cannot_be_understood_is_listed_once(write: Callable[..., str]) -> None:
    two = replace(NUMBERS, outputs=[SCORE, Field("other", "number", "Other", flag="other", hints=("other",))])
    path = write("a.csv", "text,score,other\ngood,1,2\nbad,high,low\nworse,,4\nfine,3,\n")
    data = everything(path, two, max_bad_rows=1)
    assert data.splits["train"].columns == {"text": ["good"], "score": [1.0], "other": [2.0]}
    assert lines(data) == [
        (3, "dropped", "bad_score"),
        (4, "dropped", "missing_score"),
        (5, "dropped", "missing_other"),
    ]


def test_rows_without_a_number_are_dropped_as_rows_without_a_label_are(write: Callable[..., str]) -> None:
    data = everything(write("a.csv", scores_csv("1", "", "3")), NUMBERS)
    assert (data.splits["train"].columns["score"], lines(data)) == ([1.0, 3.0], [(3, "dropped", "missing_score")])


def test_broken_json_names_row_and_column(write: Callable[..., str]) -> None:
    spans = Schema([TEXT], [Field("spans", "spans", "Spans", flag="spans", hints=("spans",))])
    path = write("a.csv", 'text,spans\ngood,"[{""start"": 0}]"\nbad,"[{""start"": "\n')
    with pytest.raises(DataError, match=r'a\.csv, row 3: column "spans": it begins like JSON and is not: .*--max-bad-rows 1'):
        everything(path, spans)
    assert everything(path, spans, max_bad_rows=1).splits["train"].columns["spans"] == [[{"start": 0}]]


def long_enough(record: dict[str, Any]) -> dict[str, Any]:
    """A task's check: texts of three letters at least, kept in upper case."""
    if len(record["text"]) < 3:
        raise DataError(f"the text is only {len(record['text'])} letters long.")
    return {**record, "text": record["text"].upper(), "length": len(record["text"])}


CHECKED = replace(SCHEMA, prepare=long_enough)


def test_a_task_may_change_records_and_add_to_them(write: Callable[..., str]) -> None:
    data = everything(write("a.csv", "text,label\ngood,1\nfine,0\n"), CHECKED)
    assert data.splits["train"].columns == {"text": ["GOOD", "FINE"], "label": ["1", "0"], "length": [4, 4]}


def test_a_record_that_a_task_refuses_is_a_bad_row(write: Callable[..., str]) -> None:
    path = write("a.csv", "text,label\ngood,1\nno,0\n,1\nfine,0\nok,1\n")
    with pytest.raises(DataError) as caught:
        everything(path, CHECKED)
    message = str(caught.value)
    assert message.startswith(f"{path}, row 3: the text is only 2 letters long. 2 rows cannot be read (3, 6)")
    assert (caught.value.row, caught.value.file) == (3, path)
    with pytest.raises(DataError, match="row 3"):
        everything(path, CHECKED, max_bad_rows=1)
    data = everything(path, CHECKED, max_bad_rows=2)
    assert data.splits["train"].rows.tolist() == [2, 5]
    assert data.ledger.counts() == {"dropped:bad_record": 2, "dropped:empty_text": 1}
    assert {entry.detail for entry in data.ledger.entries if entry.row == 6} == {"the text is only 2 letters long."}


def test_a_row_that_is_dropped_anyway_is_not_checked(write: Callable[..., str]) -> None:
    seen: list[str] = []

    def watch(record: dict[str, Any]) -> dict[str, Any]:
        seen.append(record["text"])
        return record

    everything(write("a.csv", "text,label\ngood,1\nbad,\n,1\nfine,0\n"), replace(SCHEMA, prepare=watch))
    assert seen == ["good", "fine"]


def test_the_check_holds_for_other_files_too(write: Callable[..., str]) -> None:
    plan = everything(write("a.csv", rows_csv()), CHECKED).plan
    path = write("b.csv", "text,label\nno,1\ngood,1\n")
    with pytest.raises(DataError, match=r"b\.csv, row 2: the text is only 2"):
        read_records(path, plan, CHECKED)
    records, ledger = read_records(path, plan, CHECKED, reading=Reading(max_bad_rows=1))
    assert (records.columns["text"], ledger.counts()) == (["GOOD"], {"dropped:bad_record": 1})


def read_blocks(path: Path, open_text: Callable[[], TextIO]) -> Table | None:
    """A format of a task's own: a text, then a line with its label; blank lines between."""
    if path.suffix != ".blocks":
        return None
    with open_text() as file:
        every = [line.strip() for line in file.read().splitlines()]
    starts = [at for at, line in enumerate(every) if line and (at == 0 or not every[at - 1])]
    return Table.of(["text", "label"], [every[at : at + 2] for at in starts], [at + 1 for at in starts])


BLOCKS = replace(SCHEMA, endings=(".blocks",), read=read_blocks)


def blocks(rows: int) -> str:
    return "\n\n".join(f"文 {row} of the {rows}\n{'good' if row % 2 else 'bad'}" for row in range(rows))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_a_format_that_only_the_task_knows(write: Callable[..., str], encoding: str) -> None:
    path = write("a.blocks", blocks(40), encoding)
    data = everything(path, BLOCKS)
    assert data.splits["train"][1] == {"text": "文 1 of the 40", "label": "good"}
    assert data.splits["train"].rows[:3].tolist() == [1, 4, 7]
    assert data.sources["train"] == data.splits["train"].source == path


def test_ordinary_files_are_read_as_ever(write: Callable[..., str]) -> None:
    assert everything(write("a.csv", rows_csv()), BLOCKS).fingerprints == everything(write("b.csv", rows_csv()), SCHEMA).fingerprints


def test_the_file_is_not_read_for_a_task_that_has_no_format(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    from weitiao.data import reading

    asked: list[Path] = []
    honest = reading.recognise
    monkeypatch.setattr(reading, "recognise", lambda path, encoding: (asked.append(path), honest(path, encoding))[1])
    everything(write("a.csv", rows_csv()), SCHEMA)
    assert len(asked) == 1


def test_a_folder_with_files_of_the_tasks_own(write: Callable[..., str], tmp_path: Path) -> None:
    for name, rows in (("train", 30), ("dev", 6), ("test", 4)):
        write(f"data/{name}.blocks", blocks(rows))
    data = loaded(str(tmp_path / "data"), BLOCKS)
    assert {name: len(records) for name, records in data.splits.items()} == {"train": 30, "validation": 6, "test": 4}
    with pytest.raises(DataError, match="without a train file"):
        loaded(str(tmp_path / "data"))
    assert len(read_records(str(tmp_path / "data"), data.plan, BLOCKS)[0]) == 4


def test_shards_of_the_tasks_own_are_counted_on(write: Callable[..., str], tmp_path: Path) -> None:
    for shard in range(2):
        write(f"data/train-0000{shard}-of-00002.blocks", blocks(10))
    assert everything(str(tmp_path / "data"), BLOCKS).splits["train"].rows.tolist() == list(range(1, 21))


def test_only_text_is_handed_to_a_task(write: Callable[..., str]) -> None:
    with pytest.raises(DataError, match="PNG image"):
        everything(write("a.blocks", b"\x89PNG\r\n\x1a\n" + bytes(100)), BLOCKS)


def joined(table: Table) -> Table:
    """A layout of a task's own: a subject and a body make the text."""
    if not {"subject", "body"} <= table.columns.keys():
        return table
    pairs = zip(table.texts("subject"), table.texts("body"), strict=True)
    return table.with_column("text", [f"{subject}: {body}" for subject, body in pairs], "The text is subject and body.")


LETTERS = replace(SCHEMA, reshape=joined)


def test_a_layout_that_only_the_task_knows(write: Callable[..., str], tmp_path: Path) -> None:
    content = "subject,body,label\n" + "".join(f"s{i},the body with number {i},{'yn'[i % 2]}\n" for i in range(30))
    data = everything(write("data/train.csv", content), LETTERS)
    assert data.splits["train"].columns["text"][2] == "s2: the body with number 2"
    assert data.plan.fields["text"] == ("text",) and set(data.plan.unused) == {"subject", "body"}
    split = loaded(str(tmp_path / "data"), LETTERS)
    assert split.splits["train"].columns["text"][0].startswith("s")
    plan = everything(write("plain.csv", rows_csv()), LETTERS).plan
    other = write("other.csv", content)
    assert read_records(other, plan, LETTERS)[0][0]["text"] == "s0: the body with number 0"
    with pytest.raises(DataError, match='no column "text"'):
        read_records(other, plan, SCHEMA)


def test_one_more_column_leaves_the_table_as_it_was() -> None:
    table = Table.of(["a"], [["x"], [None]], [2, 3], "a.csv")
    more = table.with_column("b", ["1", None], "A note.")
    assert (more.names, more[0], more.notes, table.names, table.notes) == (["a", "b"], {"a": "x", "b": "1"}, ("A note.",), ["a"], ())
    assert np.array_equal(more.rows, table.rows) and more.source == "a.csv"
    assert more.with_column("b", ["2", "3"]).texts("b") == ["2", "3"]


def test_pieces_of_a_file_know_the_tasks_formats_too(write: Callable[..., str]) -> None:
    (table,) = iter_tables(write("a.blocks", blocks(3)), Reading(schema=BLOCKS), Ledger())
    assert table.texts("label") == ["bad", "good", "bad"]


def test_nested_columns_of_json_lines_reach_the_field_whole(write: Callable[..., str]) -> None:
    said = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "hello"}]
    talk = Schema([Field("messages", "messages", "Messages", flag="messages", hints=("messages",))], [])
    content = "\n".join(json.dumps({"messages": said}, ensure_ascii=ascii) for ascii in (True, False))
    assert everything(write("a.jsonl", content), talk).splits["train"].columns["messages"] == [said, said]
