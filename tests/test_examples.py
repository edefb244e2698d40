"""The examples run as their READMEs say, on a tiny model and few rows."""

import csv
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import weitiao
from tests.conftest import make_model, sentences, write_csv

EXAMPLES = Path(__file__).parents[1] / "examples"
DOCUMENTS = sorted(EXAMPLES.glob("**/*.md"))


def load(file: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{file.stem}", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load(EXAMPLES / "run_classification.py")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with train.csv, val.csv and a tiny model where the tutorial has bert-base-uncased."""
    monkeypatch.chdir(tmp_path)
    for name, rows, seed in (("train", 120, 1), ("val", 40, 2)):
        numbered = [(text, str(int(label == "good"))) for text, label in sentences(rows, seed=seed)]
        write_csv(tmp_path / f"{name}.csv", numbered, header=("text", "target"))
    make_model(tmp_path / "google-bert" / "bert-base-uncased")
    return tmp_path


def printed(file: Path, number: int) -> list[str]:
    """The words of a command in a README, as a shell would pass them."""
    block = re.findall(r"^```bash\n(.*?)^```", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)[number]
    return shlex.split(block.replace("\\\n", " "))[2:]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_a_tutorials_command_works_as_printed(name: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(files / "out") if word == "/tmp/out/" else word for word in printed(EXAMPLES / name, 0)]
    assert script.main([*words, "--learning_rate", "5e-3", "--num_train_epochs", "8"]) == 0
    shown = capsys.readouterr()
    figures = dict(line.split("=") for line in shown.out.replace(" ", "").splitlines() if "=" in line)
    assert "***** train metrics *****" in shown.out and "***** eval metrics *****" in shown.out
    assert float(figures["eval_accuracy"]) > 0.6 and figures["epoch"] == "8.0" and figures["eval_samples"] == "40"
    assert re.fullmatch(r"\d+:\d\d:\d\d\.\d\d", figures["eval_runtime"])

    out = files / "out"
    every = json.loads((out / "all_results.json").read_text(encoding="utf-8"))
    assert every == json.loads((out / "train_results.json").read_text()) | json.loads((out / "eval_results.json").read_text())
    # The folder is a model where others look for one, and a run of weitiao.
    from transformers import pipeline

    theirs = pipeline("text-classification", model=str(out), device="cpu")(["a lovely day"])
    ours = weitiao.load(out)
    assert ours.predict(["a lovely day"])[0]["label"] == theirs[0]["label"] == "1"
    settings = ours.record["settings"]
    assert (settings["text_separator"], settings["max_length"], settings["batch_size"], settings["weight_decay"]) == ("\n", 512, 32, 0.0)
    assert script.main(words) == 7  # it is not written over unasked
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "name"), [("accuracy", "accuracy"), ("./metrics/f1", "f1"), ("/data/evaluate/metrics/accuracy/accuracy.py", "accuracy")]
)
def test_a_local_metric_path_is_read_by_its_name_and_never_run(
    given: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.metric_called(given) == name
    assert ("is not run" in capsys.readouterr().err) == (given != name)


def test_without_a_validation_file_rows_are_held_out_and_predictions_are_written(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--model_name_or_path",
        "google-bert/bert-base-uncased",
        "--train_file",
        "train.csv",
        "--output_dir",
        "out",
        "--max_seq_length",
        "32",
    ]
    words += [
        "--text_column_names",
        "text",
        "--label_column_name",
        "target",
        "--do_train",
        "True",
        "--do_eval",
        "--do_predict",
        "--test_file",
    ]
    words += [
        "val.csv",
        "--max_predict_samples",
        "7",
        "--max_train_samples",
        "50",
        "--shuffle_train_dataset",
        "--metric_name",
        "metrics/f1",
    ]
    assert script.main([*words, "--num_train_epochs", "1.0", "--pad_to_max_length", "False", "--logging_steps", "5"]) == 0
    shown = capsys.readouterr()
    assert "eval_f1" in shown.out and "--pad_to_max_length has no effect here" in shown.err
    splits = weitiao.load("out").record["data"]["splits"]
    assert splits["train"]["rows"] + splits["validation"]["rows"] == 50
    lines = (files / "out" / "predict_results.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "index\tprediction" and len(lines) == 8
    assert all(re.fullmatch(r"\d\t[01]", line) for line in lines[1:])
    # A finished one is used without training.
    assert script.main(["--model_name_or_path", "out", "--output_dir", "again", "--do_eval", "--validation_file", "val.csv"]) == 0
    assert "eval_accuracy" in capsys.readouterr().out
    assert (files / "again" / "eval_results.json").is_file()


def test_numbers_are_learned(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model_name_or_path", "google-bert/bert-base-uncased", "--train_file", "train.csv", "--validation_file", "val.csv"]
    words += ["--label_column_name", "target", "--do_regression", "--do_train", "--do_eval", "--do_predict", "--test_file", "val.csv"]
    assert script.main([*words, "--num_train_epochs", "1", "--output_dir", "out", "--max_seq_length", "32"]) == 0
    assert "eval_mse" in capsys.readouterr().out
    second = (files / "out" / "predict_results.txt").read_text(encoding="utf-8").splitlines()[1]
    assert re.fullmatch(r"0\t-?\d+\.\d{3}", second)
    with (files / "val.csv").open(encoding="utf-8", newline="") as file:
        text = next(csv.DictReader(file))["text"]
    answer = weitiao.load("out").predict([text])[0]["value"]
    assert float(second.split("\t")[1]) == pytest.approx(answer, abs=1e-3)  # the model's, not the file's own number


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("--do_train --trian_file train.csv", 2, "There is no flag --trian_file. Did you mean --train_file?"),
        ("--do_train stray train.csv", 2, "There is no flag"),
        ("--do_train", 2, "--train_file"),
        ("--do_eval", 2, "--validation_file"),
        ("--do_predict", 2, "--test_file"),
        ("--do_train --train_file train.csv --num_train_epochs 0.5", 2, "whole epochs"),
        ("--do_train --train_file nowhere.csv", 3, "nowhere.csv"),
        ("--do_train --train_file nowhere.csv --max_train_samples 10", 3, "nowhere.csv"),
        ("--do_train --train_file google-bert --max_train_samples 10", 3, "is a folder"),
        ("--do_train --do_eval --train_file train.csv --metric_name fancy", 2, "fancy"),
        ("--do_train --do_eval --train_file train.csv --do_regression --metric_name metrics/accuracy.py", 2, "accuracy"),
    ],
)
def test_what_cannot_be_done_is_said(words: str, code: int, says: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--model_name_or_path", "google-bert/bert-base-uncased", "--output_dir", "out", *words.split()]) == code
    assert says in capsys.readouterr().err
    assert not (files / "out").exists()  # and nothing was trained before


@pytest.mark.parametrize(
    ("truth", "wrong"),
    [(["a", "b", "a"], ["b", "b", "a"]), ([["a"], ["a", "b"], []], [["b"], ["b"], ["a"]]), ([1.0, 2.0, 4.0], [1.0, 1.0, 3.0])],
)
def test_every_figure_can_be_asked_for_and_no_other(truth: list[Any], wrong: list[Any]) -> None:
    from weitiao import metrics

    shares = {"a": 0.5, "b": 0.5}
    if isinstance(truth[0], float):
        evaluation = metrics.regression_scores(truth, wrong)
    elif isinstance(truth[0], list):
        evaluation = metrics.multi_label_scores(truth, [{"labels": one, "probabilities": shares} for one in wrong], ["a", "b"])
    else:
        evaluation = metrics.classification_scores(
            truth, [{"label": one, "score": 0.5, "probabilities": shares} for one in wrong], ["a", "b"]
        )
    known = script.known_figures(isinstance(truth[0], float))
    for name in script.figures_of(evaluation):
        assert name in known
        assert f"eval_{name}" in script.eval_figures({**evaluation, "rows": 3}, name, 1.0)
    assert "fancy" not in known


@pytest.mark.parametrize("flag", ["--use_cpu", "--no_cuda"])
def test_a_device_is_for_a_training(flag: str, files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(script.devices, "available_devices", lambda: ["cuda", "cpu"])
    words = ["--model_name_or_path", "google-bert/bert-base-uncased", "--output_dir", "out", "--do_eval", "--validation_file", "val.csv"]
    assert script.main([*words, flag]) == 2
    told = capsys.readouterr().err
    assert f"{flag} needs --do_train" in told and "CUDA_VISIBLE_DEVICES=" in told
    monkeypatch.setattr(script.devices, "available_devices", lambda: ["cpu"])
    assert script.main([*words, flag]) == 4  # as was asked for; but this model has no head
    assert "config lists no labels" in capsys.readouterr().err


def test_a_revision_is_asked_for_without_a_training_too(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--output_dir", "again", "--do_eval", "--validation_file", "val.csv", "--model_revision", "v2"]
    assert script.main(["--model_name_or_path", "google-bert/bert-base-uncased", *words]) == 2
    assert "v2" in capsys.readouterr().err  # a folder has none
    asked: list[Any] = []
    monkeypatch.setattr(weitiao, "load", lambda *places, **settings: asked.append((*places, settings)))
    script.finished(script.parse(["--model_name_or_path", "some/model", *words]), "text-classification")
    script.finished(script.parse(["--model_name_or_path", "some/model", *words[:-1], "main"]), "text-classification")
    expected = {"task": "text-classification", "max_length": 128}
    assert asked == [("some/model", {**expected, "revision": "v2"}), ("some/model", expected)]
    (files / "run").mkdir()
    (files / "run" / "run.json").write_text("{}", encoding="utf-8")
    assert script.main(["--model_name_or_path", "run", *words]) == 2
    assert "--model_revision v2: run is a finished run" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_said(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(script, "finished", lambda options, task: None)
    assert script.main(["--model_name_or_path", "a", "--output_dir", "train.csv/out"]) == 6
    assert "train.csv" in capsys.readouterr().err


def test_a_flag_without_its_required_ones_is_an_error_of_usage() -> None:
    with pytest.raises(SystemExit) as stopped:
        script.main(["--do_train"])
    assert stopped.value.code == 2


@pytest.mark.parametrize(("ending", "delimiter", "encoding"), [(".tsv", "\t", "utf-8"), (".csv", ",", "gb18030"), (".txt", ";", "utf-16")])
def test_the_first_rows_of_whatever_weitiao_reads(ending: str, delimiter: str, encoding: str, tmp_path: Path) -> None:
    rows = [("text", "label"), *((f"这家酒店很好，房间{delimiter}也很大，服务员很热情 {i}", str(i % 2)) for i in range(9))]
    file = tmp_path / f"rows{ending}"
    with file.open("w", encoding=encoding, newline="") as written:
        csv.writer(written, delimiter=delimiter).writerows(rows)
    place = tmp_path / "place"
    place.mkdir()
    copy = Path(script.rows_of(str(file), 4, place))
    assert [tuple(json.loads(line).values()) for line in copy.read_text(encoding="utf-8").splitlines()] == rows[1:5]


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_the_first_rows_of_other_formats(ending: str, tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": str(i % 2)} for i in range(9)]
    file = tmp_path / f"rows{ending}"
    file.write_text(json.dumps(rows) if ending == ".json" else "\n".join(map(json.dumps, rows)), encoding="utf-8")
    place = tmp_path / "place"
    place.mkdir()
    copy = Path(script.rows_of(str(file), 4, place))
    assert [json.loads(line) for line in copy.read_text(encoding="utf-8").splitlines()] == rows[:4]
    assert script.rows_of(str(file), None, place) == str(file)
    mixed = Path(script.rows_of(str(file), 9, place, seed=1))
    assert sorted(mixed.read_text(encoding="utf-8").splitlines()) == sorted(map(json.dumps, rows)) != mixed.read_text().splitlines()


def test_the_custom_example_trains_tells_and_comes_back(tmp_path: Path) -> None:
    out, model = tmp_path / "run", make_model(tmp_path / "tiny")
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((f"{text} on 12/{i}", label) for i, (text, label) in enumerate(sentences(80)))])
    words = ["--data", str(tmp_path / "rows.csv"), "--model", str(model), "--out", str(out), "--epochs", "2"]
    # As people start it: a script in a process of its own, from anywhere.
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "custom" / "main.py"), *words], capture_output=True, text=True, cwd=tmp_path, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert "minutes_lost" in done.stdout and "f1_macro" in done.stdout and "weitiao predict" in done.stdout
    run = weitiao.load(out)
    assert run.predict(["order 4711 was late"]) == run.predict(["order 99 was late"])  # own data handling, in use too
    network = run.predictor().backend.loaded.network
    assert type(network).__name__ == "MeanMaxNetwork" and network.mlp[0].out_features == network.config.mlp_width == 128
    record = run.record
    assert record["training"]["best"]["metric"] == record["evaluation"]["headline"] == "minutes_lost"
    assert set(record["task_file"]["sha256"]) == {"data.py", "model.py"}
    assert "padding-free" in record["training"]["path"]


def test_the_focal_loss_is_cross_entropy_where_nothing_is_known_and_less_where_much_is() -> None:
    import torch

    from weitiao import tasks
    from weitiao.engine.objectives import Collated, objective_for

    task = tasks.get(str(EXAMPLES / "custom" / "data.py"))
    focal = objective_for(task.head({}).objective, {})
    labels = {"labels": torch.tensor([0, 1])}
    for scale, share in ((0.0, 0.25), (4.0, None)):
        logits = torch.tensor([[scale, 0.0], [0.0, scale]])
        plain = torch.nn.functional.cross_entropy(logits, labels["labels"], reduction="sum")
        loss = focal.loss(type("Outputs", (), {"logits": logits}), Collated({}, labels, [1, 1], [0, 1]))
        assert loss < 0.1 * plain if share is None else torch.isclose(loss, share * plain)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(EXAMPLES)))
def test_the_documents_agree_and_their_commands_parse(file: Path) -> None:
    from weitiao.cli.application import group

    other = file.with_name({"README.md": "README.zh-CN.md", "README.zh-CN.md": "README.md"}[file.name])
    blocks = [
        re.findall(r"^```bash\n(.*?)^```", each.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL) for each in (file, other)
    ]
    assert blocks[0] == blocks[1] and blocks[0]
    for line in "".join(blocks[0]).replace("\\\n", " ").splitlines():
        words = shlex.split(line)
        if words[0] == "weitiao":
            with group().commands[words[1]].make_context(words[1], words[2:]):
                pass
        else:
            assert words[0] == "python" and (EXAMPLES.parent / words[1]).is_file()
            if words[1].endswith("run_classification.py"):
                script.parse(words[2:])
    for target in re.findall(r"\]\(([^)#]+)", file.read_text(encoding="utf-8")):
        assert (file.parent / target).exists(), target
