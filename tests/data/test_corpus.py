"""A corpus as a stream of documents: every format, what cleaning leaves out, bad inputs with file and row, memory that stays flat."""

import gzip
import json
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weitiao.data import corpus, passages
from weitiao.data.corpus import documents, is_held_out
from weitiao.data.ledger import ShortLedger
from weitiao.data.packed import Packed
from weitiao.data.seen_texts import SeenKeys
from weitiao.errors import DataError, UsageError

LINES = ["春天来了，桃花开了。", "The river was high that year.", "他们走了很远的路，终于到了海边。"]
EMPTY = ["a.jsonl", "b.jsonl", "d.txt", "e.txt.gz", "f.jsonl.gz", "g.parquet"]
TEXT = "\n\n".join(LINES) + "\n"


def texts(*sources: Any, **how: Any) -> list[str]:
    """What the documents say."""
    return [one.text for one in documents(sources, ledger=ShortLedger(), **how)]


def zstd(content: bytes) -> bytes:
    """The bytes as Zstandard packs them."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("clean", [True, False])
def test_every_format_says_the_same(write: Callable[..., str], tmp_path: Path, clean: bool) -> None:
    rows = "".join(json.dumps({"id": at, "text": line}) + "\n" for at, line in enumerate(LINES))
    pq.write_table(pa.table({"id": [0, 1, 2], "text": LINES}), tmp_path / "a.parquet")
    sources = [
        write("a.txt", TEXT),
        write("gbk.txt", TEXT, encoding="gb18030"),
        write("utf16.txt", "\ufeff" + TEXT, encoding="utf-16-le"),
        write("a.txt.gz", gzip.compress(TEXT.encode())),
        write("a.txt.xz", lzma.compress(TEXT.encode())),
        write("a.txt.zst", zstd(TEXT.encode())),
        write("packed.gz", gzip.compress(TEXT.encode())),
        write("a.jsonl", rows),
        write("a.jsonl.gz", gzip.compress(rows.encode())),
        write("a.csv", "id,text\n" + "".join(f'{at},"{line}"\n' for at, line in enumerate(LINES))),
        str(tmp_path / "a.parquet"),
    ]
    for source in sources:
        assert texts(source, clean=clean) == LINES, source


def test_documents_say_where_they_stand(write: Callable[..., str]) -> None:
    found = list(documents([write("a.txt", TEXT), write("b.jsonl", '{"text": "one"}\n\n{"text": "two"}\n')], ledger=ShortLedger()))
    assert [(Path(one.source).name, one.row) for one in found] == [("a.txt", 1), ("a.txt", 3), ("a.txt", 5), ("b.jsonl", 1), ("b.jsonl", 3)]


def test_a_folder_is_read_to_the_bottom_in_the_order_of_its_names(write: Callable[..., str], tmp_path: Path) -> None:
    write("all/b.txt", "two\n")
    write("all/a/z.jsonl.gz", gzip.compress(b'{"text": "one"}\n'))
    write("all/c.text.xz", lzma.compress(b"three\n"))
    write("all/README.md", "about it\n")
    write("all/.hidden.txt", "hidden\n")
    write("all/.git/d.txt", "hidden too\n")
    assert texts(tmp_path / "all") == ["one", "two", "three"]


def test_an_empty_file_among_others_is_passed_over_and_noted(write: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "all"
    write("all/a.jsonl", "")
    write("all/b.jsonl", " \n")
    write("all/c.jsonl", '{"text": "one"}\n')
    write("all/d.txt", "\n\n")
    write("all/e.txt.gz", gzip.compress(b""))
    write("all/f.jsonl.gz", gzip.compress(b""))
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), folder / "g.parquet")
    pq.write_table(pa.table({"text": ["two"]}), folder / "h.parquet")
    for clean in (True, False):
        ledger = ShortLedger()
        assert [one.text for one in documents([folder], ledger=ledger, clean=clean)] == ["one", "two"]
        assert [Path(entry.source).name for entry in ledger.of("dropped:empty_file")] == EMPTY
    for name in EMPTY:
        with pytest.raises(DataError, match=r"There is no text in .*\. The corpus is empty\."):
            texts(folder / name)


def test_what_is_not_read_of_a_folder_is_noted(write: Callable[..., str], tmp_path: Path) -> None:
    write("all/a.txt", "one\n")
    write("all/b.csv", "text\ntwo\n")
    write("all/in/c.json.gz", gzip.compress(b"{}"))
    write("all/.hidden.csv", "text\nthree\n")
    write("elsewhere/d.txt", "four\n")
    (tmp_path / "all" / "in" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "all" / "e.txt").symlink_to(tmp_path / "elsewhere" / "d.txt")
    ledger = ShortLedger()
    assert [one.text for one in documents([tmp_path / "all"], ledger=ledger)] == ["one", "four"]
    assert {(Path(entry.source).name, entry.reason) for entry in ledger.entries} == {
        ("b.csv", "other_file"),
        ("c.json.gz", "other_file"),
        ("linked", "linked_folder"),
    }
    assert all("Name" in entry.detail for entry in ledger.entries)


def test_what_of_a_text_file_is_a_document(write: Callable[..., str]) -> None:
    source = write("a.txt", "one\ntwo\n\n\nthree\n")
    assert texts(source, document="paragraph") == ["one\ntwo", "three"]
    assert texts(source, document="file") == ["one\ntwo\n\n\nthree"]
    with pytest.raises(UsageError, match=r'--document is "lines"; it must be one of line, paragraph, file\..*"line"'):
        texts(source, document="lines")


def test_what_cleaning_leaves_out_is_counted(write: Callable[..., str]) -> None:
    long = "那一年的冬天特别冷，河水结了厚厚的冰，孩子们都在冰上玩耍，大人们围着火炉说话。"
    lines = [
        "tab\tstays\x07",
        long,
        long.upper(),
        long + "好",
        "<tr><td>1</td></tr>",
        "https://example.org/a/b/c",
        "A&B <i>is</i> a shop here.",
    ]
    ledger = ShortLedger()
    source = write("a.txt", "\n".join(lines))
    assert [one.text for one in documents([source], ledger=ledger)] == ["tab\tstays", long, lines[-1]]
    assert ledger.counts() == {
        "dropped:markup": 2,
        "repaired:control_characters": 1,
        "dropped:exact_duplicate": 1,
        "dropped:near_duplicate": 1,
    }
    assert {(entry.row, entry.reason) for entry in ledger.entries} >= {(3, "exact_duplicate"), (4, "near_duplicate"), (5, "markup")}
    assert len(texts(source, clean=False)) == len(lines)


def test_markup_is_taken_out_line_by_line_of_a_longer_document(write: Callable[..., str]) -> None:
    source = write("a.jsonl", json.dumps({"text": "Above.\n<div><br/></div>\nBelow."}) + "\n" + json.dumps({"text": " "}) + "\n")
    ledger = ShortLedger()
    assert [one.text for one in documents([source], ledger=ledger)] == ["Above.\nBelow."]
    assert ledger.counts() == {"repaired:markup_lines": 1, "dropped:empty_text": 1}


def test_texts_that_only_share_words_stay(write: Callable[..., str]) -> None:
    lines = [f"Day {number}: the {word} was seen near the harbour." for number, word in enumerate(["ship", "whale", "lamp", "storm"])]
    assert texts(write("a.txt", "\n".join(lines))) == lines


def test_a_near_duplicate_is_found_far_away(write: Callable[..., str]) -> None:
    filler = [f"Number {number * 7919} is {'odd' if number % 2 else 'even'} and {number**3} its cube." for number in range(1500)]
    first = "The committee met on Tuesday evening to talk about the new bridge over the river, and agreed that it would be built of stone."
    kept = texts(write("a.txt", "\n".join([first, *filler, first.replace("Tuesday", "Thursday")])))
    assert kept.count(first) == 1 and not any("Thursday" in text for text in kept)


@pytest.mark.parametrize(
    ("name", "content", "how", "message", "row"),
    [
        ("a.txt", b"", {}, r"There is no text in .*a\.txt\. The corpus is empty\.", None),
        ("a.txt", b"<br/>\n<br/>\n", {}, r"left out: dropped: mostly markup 2\.", None),
        ("a.txt", b"\x00\x01\x02\x03\xfe" * 50, {}, r"a\.txt looks like binary data, where text, JSON Lines or Parquet is needed", None),
        ("a.txt", gzip.compress(b"one\n", mtime=0), {}, r"a gzip archive.*Rename it to end in \.gz", None),
        ("a.txt.gz", b"one\n", {}, r"a\.txt\.gz is named \.gz, but it is no \.gz archive", None),
        ("a.txt.gz", gzip.compress(b"one\ntwo\n" * 9, mtime=0)[:-9], {}, r"a\.txt\.gz, line \d+: the \.gz archive is cut off", ...),
        ("a.txt.xz", lzma.compress(b"one\ntwo\n" * 9)[:-30], {}, r"a\.txt\.xz, line \d+: the \.xz archive is cut off", ...),
        ("a.txt.zst", zstd(b"one\ntwo\n" * 9)[:-4], {}, r"a\.txt\.zst, line \d+: the \.zst archive is cut off", ...),
        ("a.txt", ("好的，没有问题。\n" * 20).encode() + b"\xff bad\n", {}, r"a\.txt, row 21: it holds bytes that are not UTF-8", 21),
        ("a.jsonl", b'{"text": "one"}\n{"text": \n', {}, r"a\.jsonl, row 2: it is not valid JSON", 2),
        ("a.jsonl", b'{"id": 1, "body": "x"}\n', {}, r'a\.jsonl has no column "text"; it has: id, body\. .*--text-column NAME', None),
        ("a.csv", b"text,body\nx,y\n", {"text_column": "bodi"}, r'no column "bodi"; it has: text, body\..*"body"', None),
        ("a.csv.gz", gzip.compress(b"text\nx\n", mtime=0), {}, r"of compressed files, text \(\.txt, \.text\) and JSON Lines", None),
    ],
)
def test_bad_inputs_are_named(
    write: Callable[..., str], name: str, content: bytes, how: dict[str, Any], message: str, row: int | None
) -> None:
    with pytest.raises(DataError, match=message) as failure:
        texts(write(name, content), **how)
    assert failure.value.file and failure.value.file.endswith(name)
    assert failure.value.row == row if row is not ... else failure.value.row


def test_missing_files_are_found_before_anything_is_read(write: Callable[..., str], tmp_path: Path) -> None:
    write("corpus.txt", "one\n")
    with pytest.raises(DataError, match=r"Did you mean .*corpus\.txt"):
        documents([tmp_path / "corpos.txt"], ledger=ShortLedger())
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no text: its files should end in \.txt"):
        documents([tmp_path / "empty"], ledger=ShortLedger())


def test_unreadable_lines_may_be_left_out(write: Callable[..., str]) -> None:
    source = write("a.txt", ("好的，没有问题。\n" * 20).encode() + b"\xff bad\n")
    ledger = ShortLedger()
    assert len(list(documents([source], ledger=ledger, max_bad_rows=1))) == 1
    assert ledger.counts()["dropped:undecodable"] == 1


def test_what_is_held_out_depends_on_the_text_alone() -> None:
    some = [f"text {number}" for number in range(2000)]
    held = {text for text in some if is_held_out(text, 0.1, seed=3)}
    assert 150 < len(held) < 250
    assert held == {text for text in reversed(some) if is_held_out(text, 0.1, seed=3)}
    assert held != {text for text in some if is_held_out(text, 0.1, seed=4)}
    assert held < {text for text in some if is_held_out(text, 0.2, seed=3)}
    assert not any(is_held_out(text, 0.0, seed=3) for text in some)


def test_a_line_without_end_comes_in_pieces(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "LONGEST", 10)
    for source in (
        write("a.txt", "0123456789abcdefghijXYZ\nnext\n"),
        write("a.jsonl", '{"text": "0123456789abcdefghijXYZ"}\n{"text": "next"}\n'),
    ):
        ledger = ShortLedger()
        found = list(documents([source], ledger=ledger))
        assert [(one.row, one.text) for one in found] == [(1, "0123456789"), (1, "abcdefghij"), (1, "XYZ"), (2, "next")]
        assert ledger.counts() == {"kept:in_pieces": 1}
    for unit in ("file", "paragraph"):
        ledger = ShortLedger()
        found = list(documents([write("b.txt", "one 3\ntwo\n\nthree\nfour\n")], ledger=ledger, document=unit))
        assert [one.text for one in found] == ["one 3\ntwo", "three\nfour"]
        assert ledger.counts() == ({"kept:in_pieces": 1} if unit == "file" else {})


def test_the_column_is_that_of_the_first_rows(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """However the rows further down are made."""
    monkeypatch.setattr(corpus, "_ROWS_AT_ONCE", 2)
    ledger = ShortLedger()
    rows = [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}, {"id": 3}, {"id": 4}, {"id": 5, "text": "five"}]
    source = write("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert [one.text for one in documents([source], ledger=ledger)] == ["one", "two", "five"]
    assert ledger.counts() == {"dropped:empty_text": 2}
    rows = [{"content": "one"}, {"content": "two"}, {"content": "three", "url": "x"}]
    assert texts(write("b.jsonl", "".join(json.dumps(row) + "\n" for row in rows))) == ["one", "two", "three"]


def test_other_sheets_are_said_to_be_left_out(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name, sheet in (("first", book.active), ("second", book.create_sheet("two"))):
        sheet.append(["text"])
        sheet.append([f"{name} sheet"])
    book.save(tmp_path / "a.xlsx")
    ledger = ShortLedger()
    assert [one.text for one in documents([tmp_path / "a.xlsx"], ledger=ledger)] == ["first sheet"]
    assert ledger.counts() == {"dropped:other_sheets": 1} and "two" in ledger.entries[0].detail


def test_an_archive_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.txt\.gz cannot be read: No such file"):
        Packed(tmp_path / "a.txt.gz")


def test_keys_are_remembered_through_merges() -> None:
    seen = SeenKeys()
    numbers = [number * 2654435761 % 2**64 for number in range(150_000)]
    assert all(seen.add(number) for number in numbers)
    assert len(seen) == 150_000 and not any(seen.add(number) for number in numbers[::97])


@pytest.mark.parametrize("ending", [".txt", ".txt.gz", ".jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, ending: str) -> None:
    def peak(lines: int) -> int:
        path = tmp_path / f"a{lines}{ending}"
        pad = "and the wind blew over the long grass " * 12
        with (gzip.open if ending.endswith(".gz") else open)(path, "wt", encoding="utf-8") as file:
            for number in range(lines):
                text = f"{number} {number * 7919 % 10007} {pad}"
                file.write((json.dumps({"text": text}) if ending == ".jsonl" else text) + "\n")
        tracemalloc.start()
        try:
            count = sum(1 for _one in documents([path], ledger=ShortLedger(most=10), clean=False))
            assert count == lines
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(4000), peak(40_000)  # 2 MB and 20 MB of text
    assert many < few + 500_000


def test_a_file_without_a_readable_row_may_be_left_out_of_a_corpus(tmp_path: Path) -> None:
    """What is told is what helps: there are other files."""
    (tmp_path / "broken.jsonl").write_text('{"text": "cut o\n', encoding="utf-8")
    (tmp_path / "good.txt").write_text("A good day.\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"broken.jsonl, row 1.*--max-bad-rows 1\.$"):
        list(documents([tmp_path], ledger=ShortLedger()))
