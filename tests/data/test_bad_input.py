"""Everything that can be wrong with a user's file: each ends in one error that names the file and the row, and says what to do."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weitiao import tasks
from weitiao.config import DataSettings
from weitiao.data.ledger import Ledger
from weitiao.data.loading import load, read_records
from weitiao.data.reading import Reading, iter_tables
from weitiao.errors import DataError, UsageError

from .conftest import SCHEMA, loaded, rows_csv, table_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


def refused(act: Callable[[], object], *words: str, kind: type[Exception] = DataError) -> Exception:
    """The error that ``act`` ends in; its one paragraph must hold all of ``words``."""
    with pytest.raises(kind) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"
    return caught.value


def test_missing_file_names_what_stands_near(write: Callable[..., str], tmp_path: Path) -> None:
    write("reviews.csv", rows_csv())
    refused(lambda: table_of(str(tmp_path / "review.csv")), "review.csv does not exist", "Did you mean", "reviews.csv?")
    refused(lambda: table_of(str(tmp_path / "reviews")), "Did you mean", "reviews.csv?")
    refused(lambda: table_of(str(tmp_path / "zzz.parquet")), "does not exist", "holds: reviews.csv")
    refused(lambda: table_of(str(tmp_path / "no" / "a.csv")), "neither does the folder")


def test_empty_file(write: Callable[..., str]) -> None:
    for content in (b"", b"\n\n", b"\xef\xbb\xbf"):
        refused(lambda content=content: table_of(write("a.csv", content)), "a.csv is empty", "text,label")
    refused(lambda: table_of(write("a.json", "[]")), "is empty")
    refused(lambda: table_of(write("a.jsonl", "\n")), "is empty")


def test_header_only(write: Callable[..., str]) -> None:
    refused(lambda: table_of(write("a.csv", "text,label\n")), "header (text, label) but no rows")
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path := write("a.parquet", b""))
    refused(lambda: table_of(path), "no rows")


def test_what_is_empty_is_named_with_its_own_flag(write: Callable[..., str]) -> None:
    def load_for(task: str, *rows: dict[str, object]) -> object:
        schema = tasks.get(task).schema(tasks.settings_of(tasks.get(task))())
        return load(write("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)), DataSettings(valid="0", test="0"), schema)

    bare, asked = {"text": "Ada in London", "spans": None}, {"question": "Who?", "context": " ", "answers": "Ada"}
    refused(lambda: load_for("ner", bare, bare), "the Entities is empty in all 2 rows", '"spans"', "--spans NAME")
    refused(lambda: load_for("qa", asked), "the Context is empty in all 1 rows", '"context"', "--context NAME")
    halves = ({"text": "good", "label": None}, {"text": "", "label": "x"})
    refused(
        lambda: load_for("text-classification", *halves),
        "none of its 2 rows",
        'Text ("text"), Label ("label")',
        "--text NAME, --label NAME",
    )


def test_folder_where_a_file_was_meant(write: Callable[..., str], tmp_path: Path) -> None:
    write("some/a.csv", rows_csv())
    refused(lambda: table_of(str(tmp_path / "some")), "is a folder", "a.csv")
    refused(lambda: loaded(str(tmp_path / "some")), "without a train file", "a.csv")
    (tmp_path / "bare").mkdir()
    refused(lambda: table_of(str(tmp_path / "bare")), "no data file", ".csv")


@pytest.mark.parametrize(
    ("content", "looks"),
    [
        (PNG, "PNG image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(500), "JPEG image"),
        (gzip.compress(rows_csv().encode()), "gzip archive"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF document"),
        (bytes(range(256)) * 20, "binary data"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.", "Python pickle"),
    ],
)
def test_something_else_renamed_to_csv(write: Callable[..., str], content: bytes, looks: str) -> None:
    error = refused(lambda: table_of(write("a.csv", content)), "a.csv is named .csv", looks)
    assert isinstance(error, DataError)
    assert error.file is not None and error.file.endswith("a.csv")


def test_archives_and_workbooks_are_told_apart(write: Callable[..., str]) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("train.csv", rows_csv())
    refused(lambda: table_of(write("a.csv", archive.getvalue())), "ZIP archive", "Unpack")
    from openpyxl import Workbook

    book = io.BytesIO()
    Workbook().save(book)
    refused(lambda: table_of(write("a.csv", book.getvalue())), "Excel workbook", "Rename it to end in .xlsx")
    refused(lambda: table_of(write("a.xlsx", archive.getvalue())), "ZIP archive")
    refused(lambda: table_of(write("a.parquet", rows_csv())), "is named .parquet", "is text")
    refused(lambda: table_of(write("a.csv", '{"text": "a", "label": "b"}\n{"text": "c", "label": "d"}\n')), "JSON objects", ".jsonl")


def test_wrong_encoding_forced(write: Callable[..., str]) -> None:
    chinese = "文本,标签\n" + "房间很干净，服务也好,好\n" * 30
    utf8, gb = write("u.csv", chinese), write("g.csv", chinese, "gb18030")
    refused(lambda: table_of(gb, encoding="utf-8"), "g.csv cannot be read as utf-8", "line 1", "CE C4", "--encoding gb18030")
    refused(lambda: table_of(utf8, encoding="ascii"), "line 1", "--encoding utf-8")
    refused(lambda: table_of(utf8, encoding="latin-1"), "UTF-8 throughout", "Leave --encoding out")
    refused(lambda: table_of(write("l.csv", "text\n" + "plain\n" * 6 + "café\n", "latin-1"), encoding="utf-8"), "line 8")
    refused(lambda: table_of(utf8, encoding="utf-9"), "no encoding", 'Did you mean "utf-8"', kind=UsageError)
    refused(lambda: table_of(utf8, encoding="base64"), "no encoding", kind=UsageError)
    refused(lambda: table_of(write("i.csv", rows_csv() + "bad one...,好\n"), encoding="idna"), "i.csv cannot be read as idna")


def test_unknown_encoding_names_the_likely_one(write: Callable[..., str]) -> None:
    text = "text,label\n" + "Le café était très agréable, à côté de la forêt\t1\n" * 20
    refused(lambda: table_of(write("a.csv", text, "cp1252")), "neither UTF-8, UTF-16 nor GB18030", "line 2", "--encoding cp1252")


def test_ragged_row(write: Callable[..., str]) -> None:
    path = write("a.csv", "text,label\ngood,1\nbad, really bad,0\nfine,1\nx\n")
    error = refused(lambda: table_of(path), "a.csv, row 3", "3 cells where the header has 2 («text, label»)", "--max-bad-rows 2", "3, 5")
    assert isinstance(error, DataError)
    assert error.row == 3
    refused(lambda: table_of(path, max_bad_rows=1), "--max-bad-rows 2")
    table, ledger = table_of(path, max_bad_rows=2)
    assert table.texts("text") == ["good", "fine"]
    assert [(entry.row, entry.reason) for entry in ledger.entries] == [(3, "ragged_row"), (5, "ragged_row")]
    assert "3 cells" in ledger.entries[0].detail


def test_unclosed_quote_is_named_where_it_opens(write: Callable[..., str]) -> None:
    never = write("a.csv", 'text,label\ngood,1\n"bad,0\nfine,1\nnice,0\n')
    refused(lambda: table_of(never), "a.csv, row 3", "quote opens here and is never closed", "bad,0", "--max-bad-rows 1")
    table, ledger = table_of(never, max_bad_rows=1)
    assert table.texts("text") == ["good", "fine", "nice"]
    assert table.rows.tolist() == [2, 4, 5]
    assert ledger.counts() == {"dropped:unclosed_quote": 1}
    later = write("b.csv", 'text,label\n"bad,0\n"fine one",1\n"nice",0\n')
    refused(lambda: table_of(later), "b.csv, row 2", "never closed")
    assert table_of(later, max_bad_rows=1)[0].texts("text") == ["fine one", "nice"]


def test_duplicate_columns(write: Callable[..., str]) -> None:
    refused(lambda: table_of(write("a.csv", "text,label,text\na,b,c\n")), "columns 1 and 3", '"text"', "Rename")
    schema = pa.schema([("text", pa.string()), ("text", pa.string())])
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], schema=schema), path := write("a.parquet", b""))
    refused(lambda: table_of(path), "columns 1 and 2", '"text"')


def test_missing_and_misspelt_columns(write: Callable[..., str]) -> None:
    path = write("a.csv", rows_csv())
    refused(lambda: loaded(path, text=("txt",)), 'no column "txt"', 'Did you mean "text"?', "text, label")
    refused(lambda: loaded(path, label=("labels",)), 'no column "labels"', 'Did you mean "label"?')
    only = write("b.csv", "text,id\n" + "".join(f"a text with number {i},{i}\n" for i in range(30)))
    refused(lambda: loaded(only), "no column looks like the Label", '"id"', "--label NAME")
    numbers = write("c.csv", "label,id\n" + "".join(f"{i % 2},{i}\n" for i in range(30)))
    refused(lambda: loaded(numbers), "no column looks like the Text", "--text NAME")


def test_no_header(write: Callable[..., str]) -> None:
    lines = [f"{'体育' if i % 2 else '财经'}\t今天的第{i}条新闻讲的是比赛和市场" for i in range(30)]
    refused(lambda: loaded(write("a.tsv", "\n".join(lines))), "seems to have no header", "财经", "label,text")


def test_all_texts_empty(write: Callable[..., str]) -> None:
    refused(lambda: loaded(write("a.csv", "text,label\n ,1\n,0\n")), "a.csv", "empty in all 2 rows", "--text NAME")


def test_no_row_has_a_label(write: Callable[..., str]) -> None:
    refused(lambda: loaded(write("a.csv", "text,label\ngood,\nbad,nan\n")), "the Label is empty in all 2 rows", "--label NAME")


def test_nan_labels_are_missing_and_listed(write: Callable[..., str]) -> None:
    spelled = ["", "nan", "NaN", "NULL", "null", "None", "N/A"]
    content = rows_csv() + "".join(f"some other text {i},{label}\n" for i, label in enumerate(spelled))
    data = loaded(write("a.csv", content))
    assert data.ledger.counts() == {"dropped:missing_label": len(spelled)}
    assert 'It is written "NaN".' in {entry.detail for entry in data.ledger.entries}
    assert set(data.splits["train"].columns["label"]) == {"good", "bad"}


def test_one_blank_label_does_not_turn_classes_into_floats(write: Callable[..., str]) -> None:
    pq.write_table(
        pa.table({"text": [f"text {i} of it" for i in range(30)], "label": [0.0, 1.0, None] * 10}), path := write("a.parquet", b"")
    )
    assert set(loaded(path).splits["train"].columns["label"]) == {"0", "1"}
    with_blank = loaded(write("a.csv", "text,label\nsome text here,\n" + "".join(f"text {i} of it,{i % 2}\n" for i in range(30))))
    assert set(with_blank.splits["train"].columns["label"]) == {"0", "1"}


def test_a_text_of_100000_characters(write: Callable[..., str]) -> None:
    long = "长" * 150_000
    for name, content in (("a.csv", f"text,label\n{long},1\n"), ("a.jsonl", json.dumps({"text": long, "label": 1}))):
        assert table_of(write(name, content))[0].texts("text") == [long]


def test_emoji_and_nul_bytes(write: Callable[..., str]) -> None:
    data = loaded(write("a.csv", rows_csv() + "so 👍🏽 good\0 indeed 👨‍👩‍👧,good\n"), valid="0", test="0")
    assert data.splits["train"].columns["text"][-1] == "so 👍🏽 good indeed 👨‍👩‍👧"
    assert data.ledger.counts() == {"repaired:nul_character": 1}
    table, ledger = table_of(write("a.jsonl", '{"text": "half \\ud83d of it"}\n{"text": "\\ud83d\\udc4d"}\n'))
    assert table.texts("text") == ["half \ufffd of it", "👍"]
    assert ledger.counts() == {"repaired:half_character": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"text": "a", "label": "b"}', ["not a list of objects", "keys «text, label»"]),
        ('{"data": ["a"]}', ["not a list of objects"]),
        ('"just a text"', ["not a list of objects"]),
        ("[1, 2]", ["a.json, row 1", "it holds «1», not an object"]),
        ('[{"text": "a"}, {"text": "b"', ["line 1 (object 2)", "cut off"]),
        ('[{"text": "a"},\n{"text": b}]', ["line 2 (object 2)", "not valid JSON"]),
        ('[{"text": "a"}\n{"text": "b"}]', ["line 2", "','"]),
        ("[" * 100_000, ["not valid JSON"]),
        ('[{"text": "a"}]\n\n[{"text": "b"}]', ["a.json, line 3", "the list has ended", '«[{"text": "b"}]»', ".jsonl"]),
        ('[{"text": "a"}] {"text": "b"}', ["a.json, line 1", "the list has ended"]),
        ('[{"text": "a"}]]', ["the list has ended, and «]» stands behind it"]),
    ],
)
def test_json_that_is_not_a_list_of_objects(write: Callable[..., str], content: str, words: list[str]) -> None:
    refused(lambda: table_of(write("a.json", content)), *words)


def test_lists_a_line_that_are_no_conversations(write: Callable[..., str]) -> None:
    refused(lambda: table_of(write("a.jsonl", '[{"text": "a"}]\n[{"text": "b"}]\n')), "a.jsonl, line 2", "the list has ended")
    refused(lambda: table_of(write("a.jsonl", '["a", "x"]\n["b", "y"]\n')), "a.jsonl, line 2", "one object a line")


def test_broken_json_line(write: Callable[..., str]) -> None:
    path = write("a.jsonl", '{"text": "a"}\n\n{"text": }\n{"text": "c"}\n[1]\n')
    refused(lambda: table_of(path), "a.jsonl, row 3", "not valid JSON", "3, 5", "--max-bad-rows 2")
    table, ledger = table_of(path, max_bad_rows=2)
    assert (table.texts("text"), table.rows.tolist()) == (["a", "c"], [1, 4])
    assert ledger.counts() == {"dropped:broken_json": 1, "dropped:not_an_object": 1}


def test_damaged_binary_files(write: Callable[..., str]) -> None:
    pq.write_table(pa.table({"text": ["a" * 99] * 99}), path := write("a.parquet", b""))
    whole = Path(path).read_bytes()
    refused(lambda: table_of(write("cut.parquet", whole[: len(whole) // 2])), "cut.parquet", "cut off", "Parquet")
    with pa.ipc.new_file(path := write("a.arrow", b""), pa.schema([("text", pa.string())])) as file:
        file.write(pa.record_batch({"text": ["a" * 99] * 99}))
    refused(lambda: table_of(write("cut.arrow", Path(path).read_bytes()[:200])), "cut.arrow", "Arrow")
    book = b"PK\x03\x04" + b"[Content_Types].xml" + bytes(100)
    refused(lambda: table_of(write("a.xlsx", book)), "a.xlsx", "Excel")


def test_a_few_undecodable_bytes_cost_their_row_only(write: Callable[..., str]) -> None:
    lines = ["text,label", *(f"这家酒店的第{i}个房间很干净,{i % 2}" for i in range(20))]
    content = "\n".join(lines).encode() + "\n坏的".encode()[:-1] + b",1\n"
    path = write("a.csv", content)
    refused(lambda: table_of(path), "a.csv, row 22", "not UTF-8", "--max-bad-rows 1")
    table, ledger = table_of(path, max_bad_rows=1)
    assert (len(table), ledger.counts()) == (20, {"dropped:undecodable": 1})


def test_bad_delimiter(write: Callable[..., str]) -> None:
    refused(lambda: table_of(write("a.csv", rows_csv()), delimiter="::"), '--delimiter is "::"', kind=UsageError)


def test_streaming_refuses_too_many_bad_rows_as_well(write: Callable[..., str]) -> None:
    path = write("a.csv", "text,label\n" + "a,1\n" * 10 + "a\n")
    refused(lambda: [*iter_tables(path, Reading(chunk_rows=3), Ledger())], "a.csv, row 12")


@pytest.mark.parametrize("share", ["1", "10", "-0.1", "nan", "inf"])
def test_impossible_shares(write: Callable[..., str], share: str) -> None:
    refused(lambda: loaded(write("a.csv", rows_csv()), valid=share), f"--valid is {share}", "10% is 0.1", kind=UsageError)


def test_shares_that_leave_nothing(write: Callable[..., str]) -> None:
    refused(lambda: loaded(write("a.csv", rows_csv()), valid="0.5", test="0.5"), "too little to train on", kind=UsageError)


def test_too_few_rows_to_split(write: Callable[..., str]) -> None:
    refused(lambda: loaded(write("a.csv", "text,label\nvery good,1\nvery bad,0\n")), "2 usable rows", "at least 4", "--valid")


def test_a_column_that_only_one_file_has(write: Callable[..., str]) -> None:
    train, other = write("train.csv", rows_csv()), write("other.csv", "text,target\ngood,good\n")
    refused(lambda: loaded(train, valid=other), "other.csv", 'no column "label"', "text, target")


def test_a_name_that_no_file_can_have(write: Callable[..., str]) -> None:
    long = "这是一整段文本，而不是文件名。" * 20
    refused(lambda: loaded(long), "does not exist")
    refused(lambda: loaded(long + "/" + long), "does not exist")
    plan = loaded(write("a.csv", rows_csv())).plan
    refused(lambda: read_records(long, plan, SCHEMA), "does not exist")
    refused(lambda: [*iter_tables(long)], "does not exist")


def test_missing_validation_file(write: Callable[..., str]) -> None:
    refused(lambda: loaded(write("train.csv", rows_csv()), valid="vall.csv"), "vall.csv does not exist")
