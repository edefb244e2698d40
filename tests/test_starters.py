"""What ``weitiao new`` writes: a whole task that runs as it stands, says everything that a task may say, and takes nobody's place."""

import inspect
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from tests.tasks.contract import SMALL, asked, records_of
from weitiao import sample, starters, tasks
from weitiao.cli.application import group
from weitiao.data.schema import Schema
from weitiao.data.table import Table
from weitiao.data.values import parser
from weitiao.engine.architectures import ARCHITECTURES
from weitiao.engine.blank import write_blank
from weitiao.engine.devices import Machine
from weitiao.engine.models import load_model
from weitiao.engine.prediction import predictor_for
from weitiao.errors import WeitiaoError
from weitiao.model import Model
from weitiao.tasks.base import Task

Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("name", list(tasks.all_tasks()))
def test_a_starter_is_a_whole_task_that_says_everything(name: str, tmp_path: Path) -> None:
    file = tmp_path / "my_task.py"
    starters.write_starter(str(file), name)
    task, text = tasks.get(str(file)), file.read_text(encoding="utf-8")
    assert task.name == "my-task" and isinstance(task, type(tasks.get(name)))
    for method in methods_of(Task):
        assert f"def {method}(self" in text, method


@pytest.mark.parametrize("name", list(tasks.all_tasks()))
def test_every_method_that_is_shown_commented_out_does_what_it_would_do_anyway(name: str, tmp_path: Path) -> None:
    file = tmp_path / "my_task.py"
    starters.write_starter(str(file), name)
    written = set(methods_of(type(tasks.get(str(file)))))
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("    # def ", "    def ").replace("    #     ", "        ").replace("    #\n", "\n"), encoding="utf-8")
    task = tasks.get(str(file))
    assert set(methods_of(type(task))) == set(methods_of(Task)) | written
    arguments = arguments_of(task, tmp_path)
    for method in sorted(set(methods_of(Task)) - written):
        parameters = list(inspect.signature(vars(Task)[method]).parameters.values())[1:]
        places = [arguments[one.name] for one in parameters if one.kind is not one.KEYWORD_ONLY]
        keywords = {one.name: arguments[one.name] for one in parameters if one.kind is one.KEYWORD_ONLY}
        mine, theirs = (told(getattr(each, method), *places, **keywords) for each in (task, super(type(task), task)))
        assert mine == theirs, method


def methods_of(kind: type) -> list[str]:
    """Names of the methods that a class itself defines."""
    return [name for name, value in vars(kind).items() if inspect.isfunction(value) and not name.startswith("_")]


def arguments_of(task: Task, folder: Path) -> dict[str, Any]:
    """What the methods of a task are called with, by the names of their parameters: a tiny model answers the task's example."""
    settings = tasks.settings_of(task)(**({} if task.trainable else {"labels": ("sport", "weather")}))
    records = records_of(task)
    spec = task.learn(records, settings) if task.trainable else task.spec_from({}, settings)
    classes = task.head(spec).classes
    families = {"AutoModelForSeq2SeqLM": "t5", "AutoModelForCausalLM": "llama", "DualEncoder": "clip"}
    family = next((families[one] for one in classes if one in families), "bert")
    write_blank(folder / "model", ARCHITECTURES[family], list(task.texts(records)), seed=1, size=SMALL)
    loaded = load_model(folder / "model", classes, task.model_config(spec), Machine("cpu", "fp32", 1))
    spec = task.fit(spec, loaded.processor)
    decoded: dict[str, Any] = {}

    class Watched(type(task)):  # type: ignore[misc]
        """Keeps what ``decode`` was called with."""

        def decode(self, record: Any, features: Any, outputs: Any, spec: Any, processor: Any) -> Any:
            decoded.update(features=features, outputs=outputs)
            return super().decode(record, features, outputs, spec, processor)

    predictor = predictor_for(Watched(), spec, loaded, 64)
    # The last record that is asked is the one whose features and outputs are kept.
    predictions = list(predictor.predict(asked(task)))
    table = Table.of(["text", "label"], [["a lovely day", "good"]], [2])
    path = folder / "lines.txt"
    path.write_text("a lovely day\n", encoding="utf-8")
    return {
        **dict.fromkeys(("records", "train", "test"), records),
        **decoded,
        "record": asked(task)[-1],
        "settings": settings,
        "spec": spec,
        "predictions": predictions,
        "prediction": predictions[0],
        "processor": loaded.processor,
        "table": table,
        "path": path,
        "open_text": lambda: path.open(encoding="utf-8"),
        "given": {},
        "model_config": task.model_config(spec),
        "width": 32,
        "longest": 64,
        "max_length": 64,
        "for_training": False,
    }


def told(method: Callable[..., Any], *places: Any, **keywords: Any) -> Any:
    """What a method gives, or how it refuses, as something that can be compared."""
    try:
        value = method(*places, **keywords)
    except WeitiaoError as error:
        return type(error), str(error)
    if isinstance(value, Schema):  # its functions are made anew each time
        return value.inputs, value.outputs, value.columns, value.endings
    if isinstance(value, Table):
        return value.names, list(value), value.notes
    return re.sub(r" at 0x[0-9a-f]+", "", repr(list(value) if isinstance(value, Iterator) else value))


@pytest.mark.parametrize("name", list(tasks.all_tasks()))
def test_the_commands_in_a_starter_lack_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(sample.PICTURE, "picture.png")
    starters.write_starter("my_task.py", name)
    task = tasks.get("my_task.py")
    text = Path("my_task.py").read_text(encoding="utf-8")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("    weitiao ")]
    assert [line[1] for line in lines] == (["check", "train", "predict"] if task.trainable else ["check", "predict"])
    assert ("A run keeps a copy" in text) == task.trainable
    for words in lines:
        with group().commands[words[1]].make_context(words[1], words[2:]):
            pass
    first, *rest = lines[-1][3:]
    flags = dict(zip(rest[::2], rest[1::2], strict=True))
    typed = {one: flags[f"--{one.flag}"] for one in task.inputs[1:] if f"--{one.flag}" in flags}
    given = {one.name: value if one.type == "text" else parser(one.type)([value]) for one, value in typed.items()}
    assert Model("it", task, {}, lambda spec: None)._as_record(first, 0, given)  # type: ignore[arg-type,return-value]


def test_a_starter_of_what_is_not_trained_names_what_it_is_used_with(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = command("new", "my_task.py", "--like", "zero-shot-classification")
    assert begun.code == 0, begun.err
    lines = begun.err.partition("Next: ")[2].splitlines()
    assert [line.split()[:2] for line in lines] == [["weitiao", "check"], ["weitiao", "predict"]]
    places = {"DATA": str(write_csv(tmp_path / "rows.csv", list(sentences(40)))), "MODEL": str(make_model(tmp_path / "tiny"))}
    for line in lines:
        done = command(*(places.get(word, word) for word in shlex.split(line)[1:]), "--offline")
        assert done.code == 0, done.err


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_the_starter_trains_as_it_stands(command: Command, family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    begun = command("new", "my_task.py", "--like", "text-classification")
    assert begun.code == 0, begun.err
    assert "weitiao train DATA --task my_task.py" in begun.err
    data = str(write_csv(tmp_path / "rows.csv", list(sentences(80))))
    model = str(make_model(tmp_path / "tiny", family))
    quick = ["--model", model, "--epochs", "4", "--max-length", "32", "--threads", "1", "--lr", "5e-3", "--batch-size", "16"]
    trained = command("train", data, "--task", "my_task.py", *quick, "--out", "run", "--json")
    assert trained.code == 0, trained.err
    assert trained.json["evaluation"]["metrics"]["worst_recall"] > 0.5
    assert command("predict", "run", "a  lovely\nday", "--json").json == command("predict", "run", "a lovely day", "--json").json


def test_a_starter_takes_no_name_of_ours_and_overwrites_nothing(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("new", "regression.py", "--like", "qa").code == 0
    assert tasks.get("regression.py").name == "my-regression"
    Path("mine.py").write_text("mine", encoding="utf-8")
    refused = command("new", "mine.py")
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert Path("mine.py").read_text(encoding="utf-8") == "mine"
    assert command("new", "mine.py", "--overwrite").code == 0
    for words, says in (
        (["mine.txt"], ".py"),
        (["my.task.py"], "my_task.py"),
        (["my-task.py"], "my_task.py"),
        (["2nd.py"], "task_2nd.py"),
        (["class.py"], "class_task.py"),
        (["nowhere/mine.py"], "no folder nowhere"),
        (["other.py", "--like", "regresion"], '"regression"'),
        (["other.py", "--like", "mine.py"], "copied"),
    ):
        outcome = command("new", *words)
        assert outcome.code == 2
        assert says in outcome.err
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == ["mine.py", "regression.py"]
