"""Each verb in its three manners: results on standard output, all else on standard error, the next command at the end."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import CHECK, EVALUATION, PLAN, Outcome

Command = Callable[..., Outcome]


def test_check_prints_its_tables_as_the_result_and_names_train_with_the_same_flags(command: Command, api: SimpleNamespace) -> None:
    outcome = command("check", "a.csv", "--label", "star rating")
    assert outcome.code == 0
    for words in ("[red]好评", "Two rows are the same.", "by its name", "dropped", "empty: text", "97%", "in a sample of 50 of 100 rows"):
        assert words in outcome.out
    assert "a [bold]lovely day" in outcome.out
    assert 'Next: weitiao train a.csv --label "star rating"' in outcome.err
    assert "Two rows" not in outcome.err


def test_check_json_is_the_whole_finding(command: Command, api: SimpleNamespace) -> None:
    outcome = command("check", "a.csv", "--json")
    assert outcome.json["check"] == CHECK
    assert outcome.err == ""


def test_train_shows_check_plan_and_epochs_on_standard_error_and_figures_on_standard_output(command: Command, api: SimpleNamespace) -> None:
    outcome = command("train", "a.csv")
    assert "Two rows are the same." in outcome.err
    assert "Training plan" in outcome.err
    assert "Epoch 1" in outcome.err
    assert 'weitiao predict runs/a "your text"' in outcome.err
    assert "Better than the simple methods." in outcome.out
    assert "0.900 (0.80–0.95)" in outcome.out
    assert "Training plan" not in outcome.out


def test_train_quiet_prints_the_path_of_the_run_and_nothing_else(command: Command, api: SimpleNamespace) -> None:
    assert command("train", "a.csv", "--quiet") == (0, "runs/a\n", "")


def test_train_json_is_the_record(command: Command, api: SimpleNamespace) -> None:
    outcome = command("train", "a.csv", "--json")
    assert outcome.json == {"run": "runs/a", "status": "finished", "evaluation": EVALUATION}
    assert outcome.err == ""


def test_dry_run_plans_and_trains_nothing(command: Command, api: SimpleNamespace) -> None:
    outcome = command("train", "a.csv", "--dry-run", "--epochs", "3")
    assert [call[0] for call in api.calls] == ["plan"]
    assert "1 min 30 s, 1.1 GB of memory" in outcome.out
    assert "Training plan" in outcome.out
    assert "Next: weitiao train a.csv --epochs 3" in outcome.err
    assert command("train", "a.csv", "--dry-run", "--json").json["plan"] == PLAN
    assert command("train", "a.csv", "--dry-run", "--quiet") == (0, "", "")


def test_resume_needs_no_data(command: Command, api: SimpleNamespace) -> None:
    assert command("train", "--resume", "runs/b", "--quiet") == (0, "runs/b\n", "")
    assert api.calls == [("resume", "runs/b")]


def test_evaluate_passes_on_how_to_read_the_file_as_values(command: Command, api: SimpleNamespace) -> None:
    outcome = command("evaluate", "runs/a", "test.csv", "--text", "title,body", "--max-bad-rows", "3")
    assert api.calls == [("evaluate", "test.csv", {"text": ("title", "body"), "max_bad_rows": 3})]
    assert "Better than the simple methods." in outcome.out
    assert command("evaluate", "runs/a", "test.csv", "--json").json == EVALUATION
    assert command("evaluate", "runs/a", "test.csv", "--quiet").out == "0.89\n"


def test_evaluate_as_a_gate(command: Command, api: SimpleNamespace) -> None:
    assert command("evaluate", "runs/a", "test.csv", "--at-least", "accuracy=0.5").code == 0
    outcome = command("evaluate", "runs/a", "test.csv", "--at-least", "accuracy=0.95", "--json")
    assert outcome.code == 8 and outcome.json["error"]["type"] == "GateError"  # one object
    outcome = command("evaluate", "runs/a", "test.csv", "--at-least", "accuracy=0.95")
    assert outcome.code == 8 and "Better than the simple methods." in outcome.out and "0.95 at least" in outcome.err
    assert command("evaluate", "runs/a", "test.csv", "--at-least", "much").code == 2


def test_a_gate_that_nothing_can_pass_is_refused_before_the_work(command: Command, api: SimpleNamespace) -> None:
    for given, said in (("acuracy=0.8", 'Did you mean "accuracy"?'), ("accuracy=80", "accuracy=0.8, which is accuracy=80%")):
        outcome = command("evaluate", "runs/a", "test.csv", "--at-least", given)
        assert outcome.code == 2 and said in outcome.err and outcome.out == "" and api.calls == []
    # Which figures an evaluation has may depend on the rows; then it is said behind it, and nothing else is.
    outcome = command("evaluate", "runs/a", "test.csv", "--at-least", "rouge1=0.8")
    assert outcome.code == 2 and "accuracy, f1_macro, log_loss" in outcome.err and outcome.out == ""
    assert [call[0] for call in api.calls] == ["evaluate"]


def test_predict_texts(command: Command, api: SimpleNamespace) -> None:
    outcome = command("predict", "runs/a", "a lovely day", "never again")
    assert api.calls == [("predict", ["a lovely day", "never again"])]
    assert "0.750" in outcome.out
    assert "bad 0.250" in outcome.out
    assert "Next:" in outcome.err
    assert len(command("predict", "runs/a", "a", "b", "--json").json["predictions"]) == 2
    assert command("predict", "runs/a", "a", "b", "--quiet") == (0, "good\ngood\n", "")


def test_a_pipe_shows_at_once_that_the_model_is_loading(command: Command, api: SimpleNamespace) -> None:
    for verb, what in (("predict", "a lovely day"), ("evaluate", "test.csv")):
        assert command(verb, "runs/a", what).err.startswith("Loading the model …\n")
        assert "Loading" not in command(verb, "runs/a", what, "--json").err


def test_in_a_pipe_nothing_is_cut_and_no_line_ends_in_blanks(command: Command, api: SimpleNamespace) -> None:
    outcome = command("predict", "runs/a", "a long text " * 40)
    assert ("a long text " * 40).strip() in outcome.out
    outcome = command("check", "a.csv")
    assert [line for line in (outcome.out + outcome.err).splitlines() if line != line.rstrip()] == []


def test_the_next_command_asks_what_the_task_needs_and_keeps_the_language(command: Command, api: SimpleNamespace) -> None:
    Path("runs/a/run.json").write_text('{"schema": 1, "task": "regression", "status": "finished", "spec": {"pair": true}}')
    assert 'Next: weitiao predict runs/a "your text" --pair "your second text"\n' in command("report", "runs/a").err
    Path("runs/a/run.json").write_text('{"schema": 1, "task": "question-answering", "status": "finished"}')
    err = command("report", "runs/a", "--lang", "zh").err
    assert '下一步：weitiao predict runs/a "你的问题" --context "你的上下文" --lang zh\n' in err


def test_predict_reads_standard_input_one_text_a_line(command: Command, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\n\n two \r\nthree"))
    outcome = command("predict", "runs/a")
    assert api.calls == [("predict", ["one", " two ", "three"])]
    assert "Lines without text were left out: 2." in outcome.err


def test_standard_input_is_predicted_in_pieces_and_kept_in_order(
    command: Command, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"text {i}\n" for i in range(1200))))
    assert len(command("predict", "runs/a", "--json").json["predictions"]) == 1200
    assert [len(texts) for _verb, texts in api.calls] == [512, 512, 176]
    assert [text for _verb, texts in api.calls for text in texts] == [f"text {i}" for i in range(1200)]


def piped(monkeypatch: pytest.MonkeyPatch, said: bytes, encoding: str = "utf-8") -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(said), encoding=encoding))


def test_standard_input_in_another_encoding(command: Command, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    piped(monkeypatch, "\ufeff今天\n天气好\n".encode())
    command("predict", "runs/a")
    piped(monkeypatch, "今天\n天气好\n".encode("gbk"), "gbk")
    command("predict", "runs/a")
    assert api.calls == [("predict", ["今天", "天气好"])] * 2
    piped(monkeypatch, "fine\n天气好\n".encode("gbk"))
    outcome = command("predict", "runs/a", "--json")
    assert outcome.code == 3 and outcome.json["error"]["row"] == 2
    assert "iconv" in outcome.err and "--file" in outcome.err


def test_a_text_where_a_run_was_meant_is_no_bug(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for verb in ("predict", "check"):
        outcome = command(verb, "a very long text " * 40)
        assert outcome.code in (2, 3, 4) and "bug" not in outcome.err


def test_a_missing_option_is_named_by_its_flag(command: Command) -> None:
    assert "weitiao export needs --out:" in command("export", "runs/a", "--to", "merged").err


@pytest.mark.parametrize("manner", ["", "--json"])
def test_nothing_to_predict_is_an_error_with_an_example(
    command: Command, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n"))
    outcome = command("predict", "runs/a", *manner.split())
    assert outcome.code == 2
    assert 'weitiao predict runs/a "your text"' in outcome.err
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    assert command("predict", "runs/a").code == 2


def test_predict_a_file_into_a_file(command: Command, api: SimpleNamespace) -> None:
    outcome = command("predict", "runs/a", "--file", "new.csv", "--out", "p.parquet", "--encoding", "gbk")
    assert api.calls == [("predict_file", "new.csv", Path("p.parquet"), {"encoding": "gbk"})]
    assert "p.parquet" in outcome.out
    assert command("predict", "runs/a", "--file", "new.csv", "--out", "p.csv", "--quiet").out == "p.csv\n"
    assert command("predict", "runs/a", "--file", "new.csv", "-o", "p.csv", "--json").json["rows"] == 3


def test_predict_a_file_onto_standard_output(command: Command, api: SimpleNamespace) -> None:
    lines = command("predict", "runs/a", "--file", "new.csv").out.splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["good", "bad", None]
    assert [p["text"] for p in command("predict", "runs/a", "--file", "new.csv", "--json").json["predictions"]] == ["一", "2", ""]


def test_report_says_where_it_is(command: Command, api: SimpleNamespace) -> None:
    assert str(Path("runs/a/report.html")) in command("report", "runs/a").out
    assert command("report", "runs/a", "--json").json == {"run": "runs/a", "report": str(Path("runs/a/report.html"))}
    assert command("report", "runs/a", "--quiet").out == f"{Path('runs/a/report.html')}\n"


def test_doctor_prints_facts_findings_and_what_to_type(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.doctor.test_judgement import machine
    from weitiao import doctor
    from weitiao.doctor import judge

    facts = machine(torch={"version": None, "error": ""})
    monkeypatch.setattr(doctor, "examine", lambda offline: {"facts": facts, "findings": judge(facts)})
    outcome = command("doctor")
    assert '      pip install "weitiao[train]"' in outcome.out.splitlines()
    assert command("doctor", "--json").json["findings"][0]["code"] == "no_torch"
    markdown = command("doctor", "--markdown").out
    assert "- **error**: PyTorch is not installed" in markdown
    assert "| weitiao | 0.1.0 |" in markdown


def test_fetch_packs_and_unpacks(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from weitiao.engine import bundles, hub

    calls: list[object] = []

    def fetch(name: str, **settings: object) -> dict[str, object]:
        calls.append((name, settings["bundle"], settings.get("revision")))
        return {"id": name, "kind": "dataset" if name.startswith("hub:") else "model", "path": "/cache/a", "bytes": 2**20, "bundle": None}

    monkeypatch.setattr(hub, "fetch", fetch)
    monkeypatch.setattr(bundles, "unpack", lambda path, observer: {"id": "some/model", "kind": "model", "path": "/home/a", "bytes": 5})
    outcome = command("fetch", "some/model", "--revision", "v1")
    assert "/cache/a" in outcome.out
    assert "Next: weitiao train DATA --model some/model" in outcome.err
    assert "Next: weitiao train hub:some/data" in command("fetch", "hub:some/data").err
    outcome = command("fetch", "some/model", "--bundle", "b.zip", "--quiet")
    assert outcome.out == "b.zip\n"
    assert "--model some/model" in command("fetch", "--unpack", "b.zip").err
    assert calls == [("some/model", None, "v1"), ("hub:some/data", None, None), ("some/model", Path("b.zip"), None)]


def test_version(command: Command) -> None:
    from weitiao import __version__

    assert command("--version").out == f"weitiao {__version__}\n"


def test_a_number_format_is_passed_on_said_again_and_refused_where_there_is_none_of_that_name(
    command: Command, api: SimpleNamespace
) -> None:
    outcome = command("predict", "runs/a", "--file", "a.csv", "--out", "b.csv", "--precision", "int8")
    assert outcome.code == 0
    assert "Next: weitiao evaluate runs/a DATA --precision int8" in outcome.err
    outcome = command("evaluate", "runs/a", "test.csv", "--precision", "int4")
    assert outcome.code == 2
    assert "--precision is 'int4'; it must be one of auto, fp32, int8, bf16." in outcome.err


@pytest.mark.parametrize("before", [("--lang", "en"), ("--lang=en",), ()])
def test_the_command_that_lacks_its_data_is_named_wherever_the_flags_stand(before: tuple[str, ...], command: Command) -> None:
    for verb in ("train", "check"):
        missing = command(*before, verb)
        assert missing.code == 2 and f"Say which data: weitiao {verb} reviews.csv" in missing.err
