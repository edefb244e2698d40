"""Every format gives the same table: values as written, and the row numbers that people find them under."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from weitiao.data.ledger import Ledger
from weitiao.data.reading import Reading, iter_tables
from weitiao.errors import DataError

from .conftest import table_of

TEXTS, LABELS = ["很好, 真的", 'a "quoted"\nline'], ["1", "0"]


def same(source: str, **how: str) -> list[int]:
    """The row numbers, after making sure that the values are those above."""
    table, _ledger = table_of(source, **how)
    assert (table.names, table.texts("text"), table.texts("label")) == (["text", "label"], TEXTS, LABELS)
    return table.rows.tolist()


def test_delimited_formats(write: Callable[..., str]) -> None:
    rows = '{0}text{0}{1}label\n{0}很好, 真的{0}{1}1\n\n"a ""quoted""\nline"{1}0\n'
    assert same(write("a.csv", rows.format("", ",").replace("很好, 真的", '"很好, 真的"'))) == [2, 4]
    for name, delimiter in (("semicolon.csv", ";"), ("tab.csv", "\t"), ("pipe.csv", "|"), ("a.tsv", "\t"), ("a.txt", "\t")):
        assert same(write(name, rows.format('"', delimiter))) == [2, 4]
    assert same(write("forced.csv", rows.format('"', ":")), delimiter=":") == [2, 4]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends(write: Callable[..., str], end: str) -> None:
    table, _ledger = table_of(write("a.csv", f"text,label{end}good,1{end}bad,0{end}".encode()))
    assert (table.texts("text"), table.texts("label"), table.rows.tolist()) == (["good", "bad"], ["1", "0"], [2, 3])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_encodings_are_recognised(write: Callable[..., str], encoding: str, name: str) -> None:
    rows = [{"text": f"第{i}间房的一切都很好，一点也不吵，服务员说一定会再来", "label": "好" if i % 2 else "坏"} for i in range(50)]
    content = {
        "a.csv": "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows),
        "a.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "a.json": json.dumps(rows, ensure_ascii=False, indent=1),
    }[name]
    table, ledger = table_of(write(name, content, encoding))
    assert table.names == ["text", "label"]
    assert [table[i] for i in range(len(table))] == rows
    assert not ledger.entries


def test_gb18030_is_read_with_its_rare_characters_and_by_its_old_names(write: Callable[..., str]) -> None:
    text = "我们住的酒店在㐀街，名字里有个𠀀字，服务很好" * 3
    path = write("a.csv", f"text,label\n{text},1\n", "gb18030")
    assert table_of(path)[0].texts("text") == [text]
    assert table_of(path, encoding="gb2312")[0].texts("text") == [text]


def test_json_formats(write: Callable[..., str]) -> None:
    objects = [{"text": text, "label": int(label)} for text, label in zip(TEXTS, LABELS, strict=True)]
    lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in objects)
    for name, content in (
        ("list.json", json.dumps(objects)),
        ("pretty.json", json.dumps(objects, indent=2)),
        ("data.json", json.dumps({"version": 1, "data": objects})),
        ("lines.json", lines),
        ("list.jsonl", json.dumps(objects)),
        ("lines.jsonl", lines + "\n"),
        ("lines.ndjson", lines.replace("\n", "\r\n")),
    ):
        assert same(write(name, content)) == [1, 2], name


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.ndjson"])
def test_a_conversation_a_line(write: Callable[..., str], name: str) -> None:
    talks = [
        [{"role": "user", "content": f"Hi {at}"}, {"role": "assistant", "content": "你好"}]
        if at % 2
        else [{"from": "human", "value": f"Hi {at}"}, {"from": "gpt", "value": "hello"}]
        for at in range(3)
    ]
    content = "\n\n".join(json.dumps(talk, ensure_ascii=False) for talk in talks) + "\n"
    table, ledger = table_of(write(name, "\ufeff" + content))
    assert (table.names, table.rows.tolist()) == (["messages"], [1, 3, 5])
    assert [json.loads(text or "") for text in table.texts("messages")] == talks
    assert not ledger.entries
    table, ledger = table_of(write(name, content + "7\n"), max_bad_rows=1)
    assert (len(table), ledger.counts()) == (3, {"dropped:not_an_object": 1})


def test_one_conversation_is_a_list_in_json_and_a_line_in_json_lines(write: Callable[..., str]) -> None:
    talk = json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}])
    assert table_of(write("a.jsonl", talk))[0].names == ["messages"]
    assert table_of(write("a.json", talk))[0].names == ["role", "content"]


def test_json_values_stay_as_written(write: Callable[..., str]) -> None:
    line = '{"a": 1, "b": 1.0, "c": 1e3, "d": true, "e": null, "f": ["x", 1.50], "g": {"k": "好"}, "h": NaN}'
    table, _ledger = table_of(write("a.jsonl", line + '\n{"a": 2, "z": "later"}'))
    assert table[0] == {
        "a": "1",
        "b": "1.0",
        "c": "1e3",
        "d": "true",
        "e": None,
        "f": '["x", 1.5]',
        "g": '{"k": "好"}',
        "h": "NaN",
        "z": None,
    }
    assert table[1]["z"] == "later"


def test_typed_formats(write: Callable[..., str]) -> None:
    typed = pa.table({"text": TEXTS, "label": [1, 0]})
    pq.write_table(typed, parquet := write("a.parquet", b""))
    pa.feather.write_feather(typed, feather := write("a.feather", b""))
    with pa.ipc.new_stream(stream := write("a.arrow", b""), typed.schema) as file:
        file.write_table(typed)
    assert [same(source) for source in (parquet, feather, stream)] == [[1, 2]] * 3


def test_typed_values_as_texts(write: Callable[..., str]) -> None:
    typed = pa.table(
        {
            "whole": pa.array([1.0, None, 3.0]),
            "part": pa.array([1.0, 0.5, float("nan")]),
            "flag": pa.array([True, False, None]),
            "list": pa.array([["a"], [], None]),
            "coded": pa.array(["x", "y", "x"]).dictionary_encode(),
            "bytes": pa.array(["好".encode(), b"\xff\xfe", None]),
            "none": pa.nulls(3),
        }
    )
    pq.write_table(typed, path := write("a.parquet", b""))
    table, _ledger = table_of(path)
    assert {name: table.texts(name) for name in table.names} == {
        "whole": ["1", None, "3"],
        "part": ["1.0", "0.5", None],
        "flag": ["true", "false", None],
        "list": ['["a"]', "[]", None],
        "coded": ["x", "y", "x"],
        "bytes": ["好", "<2 bytes>", None],
        "none": [None, None, None],
    }


def test_workbook(write: Callable[..., str]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "data"
    for row in ([None, None], ["text", "label"], [TEXTS[0], 1], [None, None], [TEXTS[1], 0.0]):
        sheet.append(row)
    book.save(one := write("one.xlsx", b""))
    assert same(one) == [3, 5]
    book.create_sheet("more")
    book.save(two := write("two.xlsx", b""))
    table, _ledger = table_of(two)
    assert len(table.notes) == 1
    assert '"data", is read' in table.notes[0]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_a_delimiter_that_the_first_line_declares(write: Callable[..., str], delimiter: str, encoding: str, end: str) -> None:
    lines = [f"sep={delimiter}", f"text{delimiter}label", f"good and fine{delimiter}1", "", f'"bad {delimiter} sad"{delimiter}0']
    path = write("a.csv", end.join(lines).encode(encoding))
    table, ledger = table_of(path)
    assert (table.names, table.texts("text"), table.texts("label")) == (
        ["text", "label"],
        ["good and fine", f"bad {delimiter} sad"],
        ["1", "0"],
    )
    assert table.rows.tolist() == [3, 5]
    assert not ledger.entries


def test_a_declared_delimiter_that_is_not_asked_for(write: Callable[..., str]) -> None:
    assert table_of(write("a.csv", "sep=;\na,b|c\n1,2|3\n"), delimiter="|")[0].names == ["a,b", "c"]
    assert table_of(write("b.csv", "sep=;;\n1;2;3\n"))[0].names[0] == "sep="
    assert table_of(write("c.csv", "sep=,x\na,b\n"))[0].names == ["sep=", "x"]
    ragged = write("d.csv", "sep=;\na;b\n1;2\n3\n")
    with pytest.raises(DataError, match=r"d\.csv, row 4"):
        table_of(ragged)
    with pytest.raises(DataError, match="is empty"):
        table_of(write("e.csv", "sep=;\n"))


def test_text_file_is_one_text_a_line(write: Callable[..., str]) -> None:
    table, _ledger = table_of(write("a.txt", "First, a line.\n\nAnother, and more, of it.\n"))
    assert (table.texts("text"), table.rows.tolist()) == (["First, a line.", "Another, and more, of it."], [1, 3])


def test_quotes_that_are_no_syntax(write: Callable[..., str]) -> None:
    table, ledger = table_of(write("a.tsv", 'text\tlabel\n"So he said\t1\nshe: "no"\t0\n"what"s that\t1\n'))
    assert table.texts("text") == ['"So he said', 'she: "no"', '"what"s that']
    assert ledger.counts() == {"repaired:literal_quotes": 1}


def test_repairs_are_listed(write: Callable[..., str]) -> None:
    table, ledger = table_of(write("a.csv", 'text,label\n"say "hi" now",1\nplain,0,,\nthe 5" screen,1\n'))
    assert table.texts("label") == ["1", "0", "1"]
    assert table.texts("text")[2] == 'the 5" screen'
    assert [(entry.row, entry.reason) for entry in ledger.entries] == [(2, "stray_quote"), (3, "empty_extra_cells")]


def test_columns_without_a_name_are_numbered(write: Callable[..., str]) -> None:
    assert table_of(write("a.csv", ", text ,label\n0,good,1\n"))[0].names == ["column_1", "text", "label"]


def test_one_column_with_delimiters_in_quotes(write: Callable[..., str]) -> None:
    assert table_of(write("a.csv", 'text\n"one, two"\nthree\n'))[0].texts("text") == ["one, two", "three"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet", "a.arrow", "a.xlsx"])
def test_pieces_are_the_whole(write: Callable[..., str], name: str) -> None:
    rows = [{"text": f"text number {i}", "label": str(i % 3)} for i in range(25)]
    path = write(name, b"")
    if name == "a.csv":
        write(name, "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows))
    elif name == "a.jsonl":
        write(name, "\n".join(map(json.dumps, rows)))
    elif name == "a.json":
        write(name, json.dumps(rows))
    elif name == "a.parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)
    elif name == "a.arrow":
        with pa.ipc.new_file(path, pa.schema([("text", pa.string()), ("label", pa.string())])) as file:
            file.write_table(pa.Table.from_pylist(rows), max_chunksize=9)
    else:
        from openpyxl import Workbook

        book = Workbook()
        book.active.append(["text", "label"])
        for row in rows:
            book.active.append([row["text"], int(row["label"])])
        book.save(path)
    tables = list(iter_tables(path, Reading(chunk_rows=10), Ledger()))
    assert len(tables) >= 3
    assert max(map(len, tables)) <= 10
    assert [table[i] for table in tables for i in range(len(table))] == rows
    numbers = [row for table in tables for row in table.rows.tolist()]
    first = {"a.csv": 2, "a.xlsx": 2}.get(name, 1)
    assert numbers == list(range(first, first + 25))


def test_nothing_is_imported_that_is_not_needed() -> None:
    import subprocess
    import sys

    heavy = ("torch", "transformers", "datasets", "pandas", "sklearn")
    code = f"import sys, weitiao.data.loading, weitiao.data.checking; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_user_folder_is_found(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write("a.csv", "text\ngood\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(table_of("~/a.csv")[0]) == 1
