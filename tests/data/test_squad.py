"""SQuAD's JSON: questions as they are written, and where one is none."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from weitiao.data.ledger import Ledger
from weitiao.data.reading import read
from weitiao.data.schema import Schema
from weitiao.data.squad import squad_table
from weitiao.data.table import Table
from weitiao.errors import DataError

from .conftest import TEXT

CONTEXT = "The bridge was opened in 1894."


def squad(*questions: str, context: str = json.dumps(CONTEXT)) -> str:
    """A file with a paragraph of one question before that of ``questions``, which are JSON."""
    asked = ", ".join(f'{{"question": {question}, "answers": [{{"text": "1894", "answer_start": 25}}]}}' for question in questions)
    first = '{"context": "One.", "qas": [{"question": "First?", "answers": []}]}'
    return f'{{"data": [{{"paragraphs": [{first}, {{"context": {context}, "qas": [{asked}]}}]}}]}}'


def table_of(source: str) -> tuple[Table, Ledger]:
    ledger = Ledger()
    schema = Schema([TEXT], [], read=squad_table)
    return read(source, ledger=ledger, schema=schema), ledger


def test_numbers_are_questions_as_they_are_written(write: Callable[..., str]) -> None:
    table, ledger = table_of(write("a.json", squad("2024", "1.50", '"When?"', "null")))
    assert table.texts("question") == ["First?", "2024", "1.50", "When?", None]
    assert json.loads(table.texts("answers")[1] or "") == [{"text": "1894", "answer_start": 25}]
    assert not ledger.entries


@pytest.mark.parametrize("question", ['["When?"]', '{"text": "When?"}', "true"])
def test_a_question_that_is_no_text_is_named(write: Callable[..., str], question: str) -> None:
    with pytest.raises(DataError, match=r"a\.json: article 1, paragraph 2: a question must be a text, and this one is «") as caught:
        table_of(write("a.json", squad('"When?"', question)))
    assert caught.value.row == 1


def test_half_characters_are_listed(write: Callable[..., str]) -> None:
    path = write("a.json", squad('"What \\ud83d?"', '"When?"', context='"half \\udc4d of it, 1894"'))
    table, ledger = table_of(path)
    assert table.texts("question")[1] == "What \ufffd?"
    assert sorted({(entry.source, entry.row, entry.reason) for entry in ledger.entries}) == [
        (path, 2, "half_character"),
        (path, 3, "half_character"),
    ]
    assert table.mended == ()


def test_a_reader_without_a_ledger_remembers_what_it_mended() -> None:
    made: Callable[..., Any] = partial(Table.of, ["text"], [["a"], ["\ud83d"]], [4, 7], "a.csv")
    assert made().mended == (7,)
    assert made(ledger=Ledger()).mended == ()
