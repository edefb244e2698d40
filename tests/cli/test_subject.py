"""Runs and pretrained models, and what the flags of a task mean: values beside texts, columns beside a file."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import FakeRun, Outcome, make_run

Command = Callable[..., Outcome]
QA = ("some/model", "--task", "question-answering")


def test_a_pretrained_model_is_used_under_a_task(command: Command, api: SimpleNamespace) -> None:
    outcome = command("predict", *QA, "Who?", "--context", "Ann, and Bob.", "--top-k", "3", "--offline", "--max-length", "64")
    assert outcome.code == 0, outcome.err
    loading = {"top_k": 3, "offline": True, "max_length": 64, "task": "question-answering"}
    assert api.calls == [("load", "some/model", loading), ("predict", ["Who?"], {"context": "Ann, and Bob."})]
    again = "--task question-answering --top-k 3 --max-length 64 --offline"
    assert f"Next: weitiao predict some/model {again} --file DATA --out predictions.csv\n" in outcome.err


def test_an_alias_will_do_and_an_unknown_task_names_the_nearest(command: Command, api: SimpleNamespace) -> None:
    assert command("predict", "some/model", "--task", "qa", "Who?", "--context", "Ann.").code == 0
    outcome = command("predict", "some/model", "--task", "question-answring", "Who?")
    assert outcome.code == 2
    assert '"question-answering"' in outcome.err


def test_a_record_may_stand_in_its_flags_alone(command: Command, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    command("predict", *QA, "--question", "Who?", "--context", "Ann.")
    assert api.calls[-1] == ("predict", ["Who?"], {"context": "Ann."})


def test_records_are_json_objects_where_a_task_has_several_inputs(
    command: Command, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {"question": "Who?", "context": "Ann."}
    command("predict", *QA, json.dumps(record))
    assert api.calls[-1] == ("predict", [record])
    monkeypatch.setattr("sys.stdin", io.StringIO(f'{json.dumps(record)}\n{{"broken\n{{"other": 1}}\n'))
    command("predict", *QA, "--context", "Bob.")
    assert api.calls[-1] == ("predict", [record, '{"broken', '{"other": 1}'], {"context": "Bob."})


def test_a_conversation_may_be_a_text_or_its_messages(command: Command, api: SimpleNamespace) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    for text, heard in (("Hi", "Hi"), (json.dumps(messages), {"messages": messages})):
        assert command("predict", "some/model", "--task", "text-generation", text).code == 0
        assert api.calls[-1] == ("predict", [heard])


def test_beside_a_file_the_same_flags_name_columns(command: Command, api: SimpleNamespace) -> None:
    command("predict", *QA, "--file", "a.json", "--out", "p.csv", "--context", "passage", "--top-k", "2", "--encoding", "gbk")
    assert api.calls == [
        ("load", "some/model", {"top_k": 2, "task": "question-answering"}),
        ("predict_file", "a.json", Path("p.csv"), {"context": ("passage",), "encoding": "gbk"}),
    ]


def test_a_pretrained_model_is_evaluated_under_a_task(command: Command, api: SimpleNamespace) -> None:
    outcome = command("evaluate", "some/model", "dev.json", "--task", "question-answering", "--answer", "answers", "--top-k", "2")
    assert api.calls == [
        ("load", "some/model", {"top_k": 2, "task": "question-answering"}),
        ("evaluate", "dev.json", {"answer": ("answers",)}),
    ]
    assert "weitiao report" not in outcome.err
    assert "weitiao predict some/model --task question-answering --top-k 2 --file dev.json --out" in outcome.err


def test_the_next_command_says_again_what_the_answers_need(command: Command, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    zero = ("some/model", "--task", "zero-shot", "--labels", "sport,the weather", "--multi-label")
    again = 'some/model --task zero-shot --multi-label --labels "sport,the weather"'
    assert f"Next: weitiao predict {again} --file DATA --out predictions.csv\n" in command("predict", *zero, "Rain.").err
    assert f"Next: weitiao evaluate some/model DATA {again.removeprefix('some/model ')}\n" in (
        command("predict", *zero, "--file", "a.csv", "--out", "p.csv").err
    )
    said = command("predict", "runs/a", "--file", "a.csv", "--text", "body", "--encoding", "gbk").err
    assert "Next: weitiao predict runs/a --file a.csv --text body --encoding gbk --out predictions.csv\n" in said
    said = command("evaluate", "runs/a", "a.csv", "--text", "body", "--label", "stars").err
    assert "weitiao predict runs/a --file a.csv --text body --out predictions.csv\n" in said  # predicting needs no labels


def test_without_a_text_the_whole_command_is_shown(command: Command, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    shown = {
        ("predict", *QA): 'weitiao predict some/model "your question" --context "your context" --task question-answering\n',
        ("explain", "some/model", "--task", "zero-shot"): 'weitiao explain some/model "your text" --labels A,B --task zero-shot\n',
        ("predict", "m", "--task", "zero-shot", "--labels", "a,b"): 'weitiao predict m "your text" --task zero-shot --labels a,b\n',
        ("predict", "m", "--task", "chat"): 'weitiao predict m "your message" --task chat\n',
    }
    for words, example in shown.items():
        assert example in command(*words).err


def test_a_finished_run_is_used_with_other_settings(command: Command, api: SimpleNamespace) -> None:
    make_run(Path("runs/qa"), "question-answering")
    command("predict", "runs/qa", "Who?", "--context", "Ann.", "--top-k", "2", "--offline")
    assert api.calls == [("load", "runs/qa", {"top_k": 2, "offline": True}), ("predict", ["Who?"], {"context": "Ann."})]


def test_what_was_cut_off_is_said_once_behind_all_answers(command: Command, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeRun, "truncated", 2)
    assert command("predict", "runs/a", "one", "two", "three").code == 0
    assert api.calls == [("predict", ["one", "two", "three"]), ("cut", 2, 3)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("predict runs/a text --revision main", ["--revision", "--task"]),
        ("predict runs/a text --max-length 64", ["--max-length", "--task"]),
        ("predict runs/a text --context other", ["--context", "question-answering"]),
        ("predict runs/a text --label good", ["--label", "--file"]),
        ("predict some/model text --task qa --encoding gbk", ["--encoding", "--file"]),
        ("predict some/model text --task qa --top-k 0", ["--top-k is 0"]),
        ("predict some/model text --task image-text-classification --image nowhere.png", ["--image", "nowhere.png"]),
    ],
)
def test_flags_that_do_not_belong_here_are_refused(command: Command, api: SimpleNamespace, line: str, words: list[str]) -> None:
    outcome = command(*line.split())
    assert outcome.code == 2, outcome.err
    for word in words:
        assert word in outcome.err
    assert api.calls == []


def test_a_model_folder_without_a_task_says_what_fits(command: Command, api: SimpleNamespace) -> None:
    folder = Path("models/mine")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertForQuestionAnswering"]}), encoding="utf-8")
    for verb in ("predict models/mine text", "evaluate models/mine a.csv"):
        outcome = command(*verb.split())
        assert outcome.code == 7
        assert "--task question-answering" in outcome.err
    assert "--task" in command("predict", "some/model", "text").err
