"""A run's base model is found from wherever the run is used, and its folder's name is told to nobody."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.conftest import make_model, sentences, write_csv
from tests.engine.hub_stand_in import NAME, HubStandIn, Repository
from weitiao.engine import endpoint, hub
from weitiao.errors import ModelError, RunError
from weitiao.observer import Observer

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


class Interrupt(Observer):
    """Stops before the first step."""

    def progress(self, stage: str, done: int, total: int | None, figures: Any) -> None:
        if stage == "train":
            raise KeyboardInterrupt


def interrupted(folder: Path, model: str, **settings: Any) -> Path:
    data = write_csv(folder / "rows.csv", list(sentences(60)))
    with pytest.raises(KeyboardInterrupt):
        weitiao.train(str(data), model=model, out=str(folder / "run"), observer=Interrupt(), **{**QUICK, "method": "full", **settings})
    return folder / "run"


@pytest.mark.usefixtures("own_caches")
def test_who_goes_on_takes_the_commit_that_was_begun_with(stand_in: HubStandIn, tmp_path: Path) -> None:
    made = make_model(tmp_path / "made")
    stand_in.repositories[NAME] = Repository({file.name: file.read_bytes() for file in made.iterdir()})
    out = interrupted(tmp_path, NAME)
    storage = endpoint.storage_folder(NAME)
    shutil.copytree(storage / "snapshots" / ("a" * 40), storage / "snapshots" / ("b" * 40))
    (storage / "snapshots" / ("b" * 40) / "model.safetensors").unlink()
    make_model(storage / "snapshots" / ("b" * 40), hidden_size=16)
    (storage / "refs" / "main").write_text("b" * 40)
    assert weitiao.resume(out).record["base_model"]["revision"] == "a" * 40


def test_who_goes_on_hears_of_a_base_that_is_gone_or_another(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    out = interrupted(tmp_path, str(base))
    base.rename(tmp_path / "gone")
    with pytest.raises(ModelError, match=r"still needs the base model .*, base: The folder .*base.* is not there any more"):
        weitiao.resume(out)
    make_model(base, hidden_size=16)
    with pytest.raises(ModelError, match="is not the one that this run was made from"):
        weitiao.resume(out)
    shutil.rmtree(base)
    (tmp_path / "gone").rename(base)
    assert weitiao.resume(out).record["status"] == "finished"


def test_a_run_is_not_begun_before_its_blank_base_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_places: object, **_how: object) -> None:
        raise OSError(28, "No space left on device")

    data = write_csv(tmp_path / "rows.csv", list(sentences(60)))
    with monkeypatch.context() as disk:
        disk.setattr(shutil, "copytree", full)
        with pytest.raises(OSError, match="No space"):
            weitiao.train(str(data), model="blank:bert", out=str(tmp_path / "run"), **{**QUICK, "method": "full"})
    with pytest.raises(RunError, match=r"stopped before it began; train again with --overwrite"):
        weitiao.resume(tmp_path / "run")
    again = weitiao.train(str(data), model="blank:bert", out=str(tmp_path / "run"), overwrite=True, **{**QUICK, "method": "full"})
    assert again.record["status"] == "finished"
