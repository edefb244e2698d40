"""A run's base model is found from wherever the run is used, and its folder's name is told to nobody."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.conftest import make_model, sentences, write_csv
from weitiao.engine import hub
from weitiao.errors import ModelError

QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 16, "max_length": 32, "threads": 1, "method": "lora"}


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An adapter's run whose base was named by a path from the folder that the command ran in."""
    home = tmp_path / "home"
    make_model(home / "tiny_bert")
    data = write_csv(home / "rows.csv", list(sentences(60)))
    monkeypatch.chdir(home)
    weitiao.train(str(data), model="tiny_bert", out=str(home / "run"), **QUICK)
    return home


@pytest.mark.usefixtures("no_socket")
def test_a_base_folder_is_found_from_another_folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert weitiao.load(trained / "run").predict(["a lovely day"])


@pytest.mark.usefixtures("no_socket")
def test_a_base_that_is_gone_is_named_and_asked_of_nobody(trained: Path) -> None:
    (trained / "tiny_bert").rename(trained / "elsewhere")
    with pytest.raises(ModelError, match="tiny_bert, from which this run was made, is not there any more"):
        weitiao.load(trained / "run").predict(["a lovely day"])


@pytest.mark.usefixtures("no_socket")
def test_run_and_base_may_move_together(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.move(trained, tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    assert weitiao.load("run").predict(["a lovely day"])


def test_code_of_a_base_runs_only_when_somebody_here_says_so(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What run.json says of trust is not asked: it may be anybody's."""
    said: list[str] = []
    honest: Callable[..., Any] = hub.resolve

    def resolve(name: str, **settings: Any) -> Any:
        said.append(settings["trust_remote_code"])
        return honest(name, **settings)

    monkeypatch.setattr(hub, "resolve", resolve)
    weitiao.load(trained / "run").predict(["a lovely day"])
    weitiao.load(trained / "run", trust_remote_code="somebody/base").predict(["a lovely day"])
    assert said == ["", "somebody/base"]
