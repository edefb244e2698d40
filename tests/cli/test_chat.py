"""Talking: replies and nothing else on standard output, the conversation kept, plain errors."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.conftest import Outcome, make_run
from weitiao.errors import DataError

Command = Callable[..., Outcome]


class FakeModel:
    """Repeats the last message in pieces, with white space before it as some tokenizers write it."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.arguments: dict[str, Any] = {}
        self.loaded = False

    def predictor(self) -> None:
        self.loaded = True

    def stream(self, record: dict[str, Any], **arguments: Any) -> Iterator[str]:
        self.heard.append([dict(message) for message in record["messages"]])
        self.arguments = arguments
        said = record["messages"][-1]["content"]
        if said == "refuse":
            raise DataError("The template refuses this.")
        yield from () if said == "silence" else (" ", "You", " said: ", said, "\n")


@pytest.fixture
def model(api: SimpleNamespace) -> FakeModel:
    made = FakeModel()

    def load(name: str, **settings: Any) -> FakeModel:
        api.calls.append(("load", name, settings))
        return made

    api.load = load
    return made


@pytest.fixture
def talk(command: Command, model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs ``weitiao chat`` with these lines on standard input."""

    def run(lines: str, *arguments: str) -> Outcome:
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        return command("chat", *arguments)

    return run


def test_a_message_a_line_in_and_replies_alone_come_out(talk: Callable[..., Outcome], model: FakeModel, api: SimpleNamespace) -> None:
    outcome = talk("hello\n\n  and you? \n", "some/model", "--offline")
    assert outcome.code == 0
    assert outcome.out == "You said: hello\n\nYou said: and you?\n\n"
    assert outcome.err == ""
    assert api.calls == [("load", "some/model", {"offline": True, "task": "text-generation"})]
    assert model.heard[1] == [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "You said: hello"},
        {"role": "user", "content": "and you?"},
    ]


def test_commands(talk: Callable[..., Outcome], model: FakeModel) -> None:
    outcome = talk("one\n/reset\ntwo\n/help\n/exit\nthree\n", "some/model", "--system", "Be kind.")
    assert "three" not in outcome.out
    assert "/reset" in outcome.err
    system = {"role": "system", "content": "Be kind."}
    assert model.heard == [[system, {"role": "user", "content": "one"}], [system, {"role": "user", "content": "two"}]]


def test_how_replies_are_drawn(talk: Callable[..., Outcome], model: FakeModel, api: SimpleNamespace) -> None:
    talk("a\n", "some/model", "--temperature", "0.5", "--max-new-tokens", "20")
    assert model.arguments == {"max_new_tokens": 20, "do_sample": True, "temperature": 0.5}
    assert api.calls[0][2] == {"temperature": 0.5, "max_new_tokens": 20, "task": "text-generation"}
    talk("a\n", "some/model", "--temperature", "0")
    assert model.arguments["do_sample"] is False
    talk("a\n", "some/model")
    assert model.arguments == {}


def test_silence_is_said_and_forgotten(talk: Callable[..., Outcome], model: FakeModel) -> None:
    outcome = talk("silence\nhello\n", "some/model")
    assert "The model said nothing." in outcome.err
    assert model.heard[1] == [{"role": "user", "content": "hello"}]


def test_a_run_brings_its_own_task(talk: Callable[..., Outcome], model: FakeModel, api: SimpleNamespace) -> None:
    make_run(Path("runs/talker"), "text-generation")
    assert talk("hello\n", "runs/talker").out.startswith("You said")
    assert api.calls == [("load", "runs/talker", {})]


def test_a_run_that_cannot_talk_says_what_it_can(talk: Callable[..., Outcome], model: FakeModel) -> None:
    outcome = talk("hello\n", "runs/a", "--temperature", "1")
    assert (outcome.code, outcome.out) == (2, "")
    assert "text-classification" in outcome.err
    assert "weitiao predict runs/a" in outcome.err
    assert not model.loaded


def test_errors_are_plain(talk: Callable[..., Outcome], model: FakeModel) -> None:
    outcome = talk("refuse\n", "some/model")
    assert outcome.code == 3
    assert outcome.err.startswith("Error: The template refuses this.")
    assert talk("a\n", "some/model", "--temperature", "-1").code == 2
    assert talk("a\n", "some/model", "--max-new-tokens", "many").code == 2


def test_json_is_the_conversation(talk: Callable[..., Outcome]) -> None:
    messages = talk("hello\n", "some/model", "--json").json["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"]


def test_a_person_gets_a_prompt_and_ctrl_c_only_ends_the_reply(
    talk: Callable[..., Outcome], command: Command, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    def stream(record: dict[str, Any], **arguments: Any) -> Iterator[str]:
        model.heard.append(record["messages"])
        try:
            yield "Well"
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    monkeypatch.setattr(model, "stream", stream)
    terminal = io.StringIO("one\ntwo\n")
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    outcome = command("chat", "some/model")
    assert outcome.code == 0
    assert outcome.out == "Well\nWell\n"
    assert "› " in outcome.err
    assert closed == [True, True]
    assert [message["content"] for message in model.heard[1]] == ["one", "Well", "two"]
