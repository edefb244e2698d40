"""Conversations: every layout becomes one, and what is wrong with a row is said in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from weitiao.data.conversations import asked_of, messages_of, reference_of, with_messages
from weitiao.data.table import Table
from weitiao.errors import DataError

SAID = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def read(names: list[str], *rows: list[str | None], **named: Any) -> list[Any]:
    table = with_messages(Table.of(names, rows, range(1, len(rows) + 1), "a.json"), **named)
    return [text and messages_of(json.loads(text)) for text in table.texts("messages")] if "messages" in table.columns else []


@pytest.mark.parametrize(
    ("names", "row"),
    [
        (["instruction", "input", "output"], ["Hi", "", "Hello"]),
        (["prompt", "response"], ["Hi", "Hello"]),
        (["id", "question", "answer"], ["7", "Hi", "Hello"]),
        (["input", "output"], ["Hi", "Hello"]),
        (["text", "answer"], ["Hi", "Hello"]),
        (["指令", "输入", "输出"], ["Hi", None, "Hello"]),
        (["问题", "回答"], ["Hi", "Hello"]),
        (["Instruction", "Output"], ["Hi", "Hello"]),
    ],
)
def test_single_turns_are_found_by_their_columns(names: list[str], row: list[str | None]) -> None:
    assert read(names, row) == [SAID]


def test_an_input_stands_below_its_instruction() -> None:
    assert read(["instruction", "input", "output"], ["Add.", "1 and 2", "3"])[0][0]["content"] == "Add.\n1 and 2"


def test_a_system_column_and_a_history_come_first() -> None:
    (talk,) = read(["system", "history", "instruction", "output"], ["Be kind.", '[["A", "B"]]', "Hi", "Hello"])
    assert [(message["role"], message["content"]) for message in talk] == [
        ("system", "Be kind."),
        ("user", "A"),
        ("assistant", "B"),
        ("user", "Hi"),
        ("assistant", "Hello"),
    ]


@pytest.mark.parametrize("history", ["", "[]", "null", "nan", None])
def test_no_history_is_none(history: str | None) -> None:
    assert read(["history", "instruction", "output"], [history, "Hi", "Hello"]) == [SAID]


@pytest.mark.parametrize(
    "history", ["A: B", '[["A", "B"', '[["A"]]', '["AB", "CD"]', '{"A": "B"}', '[{"role": "user", "content": "A"}]', '[[["A"], "B"]]']
)
def test_a_history_that_cannot_be_read_is_a_bad_row(history: str, tmp_path: Path) -> None:
    from weitiao import tasks
    from weitiao.config import DataSettings
    from weitiao.data.loading import load

    rows = [{"instruction": "Hi", "output": "Hello", "history": "[]"}] * 2 + [{"instruction": "Hi", "output": "Hello", "history": history}]
    path = tmp_path / "talk.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = tasks.get("chat")
    schema = task.schema(tasks.settings_of(task)())
    with pytest.raises(DataError, match=r"talk\.jsonl, row 3: the history is not a list of questions with their answers") as caught:
        load(str(path), DataSettings(valid="0", test="0"), schema)
    assert caught.value.row == 3
    left = load(str(path), DataSettings(valid="0", test="0", max_bad_rows=1), schema)
    assert (len(left.splits["train"]), left.ledger.counts()) == (2, {"dropped:bad_record": 1})


def test_columns_may_be_named() -> None:
    assert read(["frage", "antwort", "text"], ["Hi", "Hello", "?"], prompt=("frage",), answer=("antwort",)) == [SAID]
    with pytest.raises(DataError, match='no column "frge"'):
        read(["frage", "antwort"], ["Hi", "Hello"], prompt=("frge",))


def test_conversations_stay_as_they_are_but_for_a_system_column() -> None:
    table = Table.of(["messages"], [[json.dumps(SAID)]], [1])
    assert with_messages(table) is table
    shared = Table.of(["conversations", "system"], [['[{"from": "human", "value": "Hi"}]', "Be kind."]], [1])
    assert json.loads(with_messages(shared).texts("conversations")[0] or "")[0] == {"role": "system", "content": "Be kind."}


def test_a_text_without_an_answer_is_learned_whole_and_that_is_said() -> None:
    table = with_messages(Table.of(["text"], [["One."], [""]], [1, 2]))
    assert table.texts("messages") == ['[{"role": "text", "content": "One."}]', None]
    assert "plain text" in table.notes[0]


def test_an_empty_answer_is_none_and_an_empty_row_is_no_conversation() -> None:
    assert read(["prompt", "response"], ["Hi", " "], ["", ""]) == [SAID[:1], None]


def test_a_table_of_something_else_is_left_alone() -> None:
    assert read(["a", "b"], ["1", "2"]) == []


@pytest.mark.parametrize(
    "value",
    [
        "Hi",
        [{"from": "human", "value": "Hi"}],
        [{"role": "User", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}],
    ],
)
def test_every_spelling_of_a_message(value: Any) -> None:
    assert messages_of(value) == SAID[:1]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([{"role": "narrator", "content": "Hi"}], r'message 1 has the role "narrator"; the roles are system, user and assistant'),
        ([{"content": "Hi"}], "message 1 has no role"),
        ([*SAID, {"role": "user", "content": " "}], r"message 3 \(user\) is empty"),
        ([{"role": "assistant", "content": None, "tool_calls": []}], r"message 1 \(assistant\) is empty"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}], "only texts can be learned"),
        ([*SAID, {"role": "system", "content": "x"}], "message 3 is a system message"),
        ([*SAID, {"role": "text", "content": "x"}], "stands alone"),
        ([], "a list of messages"),
        ({"role": "user"}, "a list of messages"),
        (["Hi"], "a list of messages"),
    ],
)
def test_what_is_wrong_is_said_with_the_messages_number(value: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        messages_of(value)


def test_the_last_answer_is_the_reference_and_not_shown() -> None:
    assert asked_of(SAID) == SAID[:1] and reference_of(SAID) == "Hello"
    assert asked_of(SAID[:1]) == SAID[:1] and reference_of(SAID[:1]) is None
