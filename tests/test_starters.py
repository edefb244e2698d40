"""What ``weitiao new`` writes: a whole task that runs as it stands, says everything that a task may say, and takes nobody's place."""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from weitiao import starters, tasks

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
    for method in (method for method, value in vars(tasks.Task).items() if inspect.isfunction(value) and not method.startswith("_")):
        assert f"def {method}(self" in text, method
    # Every method that is shown commented out does what it would do anyway.
    file.write_text(text.replace("    # def ", "    def ").replace("    #     ", "        ").replace("    #\n", "\n"), encoding="utf-8")
    changed = tasks.get(str(file))
    assert changed.wishes(tasks.settings_of(changed)()) == task.wishes(tasks.settings_of(task)())


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
        (["nowhere/mine.py"], "no folder nowhere"),
        (["other.py", "--like", "regresion"], '"regression"'),
        (["other.py", "--like", "mine.py"], "copied"),
    ):
        outcome = command("new", *words)
        assert outcome.code == 2
        assert says in outcome.err
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == ["mine.py", "regression.py"]
