"""What a finished pretraining can be asked, what is said of it, and what it hands on to whatever is made from it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.cli.conftest import Outcome, command
from tests.conftest import make_model, sentences, write_corpus, write_csv
from tests.listening import Listener
from weitiao import tasks
from weitiao.deploy.space import metadata as space
from weitiao.engine import hub
from weitiao.errors import ModelError, UsageError
from weitiao.pretraining import plan_pretraining
from weitiao.report import advice, card
from weitiao.runs import RunFolder

__all__ = ["command"]  # the fixture
Command = Callable[..., Outcome]
SETTINGS: dict[str, Any] = {"batch_size": 8, "block_size": 32, "held_out": 0.1, "threads": 1, "raw": True, "vocab_size": 400}
FAMILIES = {"mlm": "bert:tiny", "clm": "llama:tiny", "rtd": "electra:tiny", "denoising": "t5:tiny"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.txt", 200)


@pytest.fixture(scope="module")
def runs(corpus: Path) -> dict[str, weitiao.Run]:
    """One of each objective."""
    where = corpus.parent
    return {
        name: weitiao.pretrain(corpus, config=config, max_steps=2, out=str(where / name), quiet=True, **SETTINGS)
        for name, config in FAMILIES.items()
    }


@pytest.mark.parametrize(("objective", "figure"), [("mlm", "masked_accuracy"), ("clm", "perplexity")])
def test_texts_measure_what_can_be_measured(objective: str, figure: str, runs: dict[str, weitiao.Run], tmp_path: Path) -> None:
    """Its columns are found as for a pretrained model."""
    lines = [text for text, _label in sentences(12, seed=5)]
    plain, table = tmp_path / "texts.txt", write_csv(tmp_path / "texts.csv", [(line, "1") for line in lines], ("text", "other"))
    plain.write_text("\n".join(lines), encoding="utf-8")
    run = weitiao.load(runs[objective].path)
    figures = [run.evaluate(str(file))["metrics"][figure] for file in (plain, table)]
    assert figures[0] == pytest.approx(figures[1])
    page = runs[objective].folder.report.read_text(encoding="utf-8")
    assert "texts.txt" in page and "labelled.csv --model" in page and "tested on rows" not in page


@pytest.mark.parametrize("objective", ["rtd", "denoising"])
def test_what_no_file_measures_says_what_to_type(objective: str, runs: dict[str, weitiao.Run]) -> None:
    run = runs[objective]
    with pytest.raises(UsageError, match=f"{objective}.*weitiao train DATA --model"):
        weitiao.load(run.path).evaluate("nowhere.txt")
    page = run.folder.report.read_text(encoding="utf-8")
    assert "weitiao evaluate" not in page and "labelled.csv --model" in page


def test_the_report_shows_no_setting_that_was_not_used(runs: dict[str, weitiao.Run]) -> None:
    page = runs["mlm"].folder.report.read_text(encoding="utf-8")
    shown = {name: f">{name}</th>" in page for name in ("block_size", "config", "max_steps", "task", "model", "valid", "test", "lora_rank")}
    assert [name for name, there in shown.items() if there] == ["block_size", "config", "max_steps"]


def test_what_comes_next_works(command: Command, runs: dict[str, weitiao.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After measuring on texts without masks, and after a resumption."""
    file, run = tmp_path / "texts.txt", runs["mlm"]
    file.write_text("\n".join(text for text, _label in sentences(12)), encoding="utf-8")
    outcome = command("evaluate", str(run.path), str(file))
    assert outcome.code == 0
    assert "[MASK]" in outcome.err and "--file" not in outcome.err
    csv = write_csv(tmp_path / "texts.csv", [("the day", "1")], ("text", "other"))
    outcome = command("predict", str(runs["rtd"].path), "--file", str(csv), "--out", str(tmp_path / "out.csv"))
    assert "weitiao report" in outcome.err and "evaluate" not in outcome.err  # which would refuse
    monkeypatch.setattr("weitiao.api.resume", lambda path, **_how: weitiao.Run(RunFolder(path)))
    for verb in ("train", "pretrain"):
        outcome = command(verb, "--resume", str(run.path))
        assert outcome.code == 0
        assert "held out" in outcome.out and "perplexity" in outcome.out
        assert "train DATA --model" in outcome.err and "predict" not in outcome.err
    outcome = command("pretrain", "corpus.txt", "--resume", str(run.path), "--epochs", "3")
    assert outcome.code == 2 and "CORPUS" in outcome.err and "--epochs" in outcome.err


@pytest.mark.parametrize(
    ("config", "objective", "said"),
    [("bert:tiny", "clm", "llama:mini"), ("llama:tiny", "mlm", "bert:mini"), ("bert:tiny", "denoising", "t5:mini")],
)
def test_another_objective_names_flags_that_there_are(config: str, objective: str, said: str, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"made for --objective .*--config {said}, or --from") as raised:
        weitiao.pretrain(corpus, config=config, objective=objective, out=str(tmp_path / "run"), quiet=True, **SETTINGS)
    assert "--model" not in str(raised.value)


def test_no_better_than_before_is_said(corpus: Path, runs: dict[str, weitiao.Run], tmp_path: Path) -> None:
    heard, model = Listener(), str(runs["mlm"].folder.model)
    settings = {**SETTINGS, "model": model, "max_steps": 3, "lr": 0.5, "out": str(tmp_path / "run")}
    del settings["vocab_size"]  # it brings its own tokenizer
    assert plan_pretraining(corpus, **settings)["model"]["id"] == model
    run = weitiao.pretrain(corpus, observer=heard, **settings)
    assert run.record["held_out"]["loss"] > run.record["pretraining"]["before"]["loss"]
    assert any("no better than before" in said for said in heard.warnings)
    page = run.folder.report.read_text(encoding="utf-8")
    assert "before: no better" in page and "held-out documents no better" in page


def test_the_flag_that_ended_a_training_is_the_one_to_raise() -> None:
    log = [{"step": step, "validation": {"loss": 3.0 - step}} for step in (1, 2)]
    record = {"status": "finished", "pretraining": {"objective": "mlm"}, "held_out": {"loss": 1.0}}
    for settings, training, flag in (
        ({"epochs": 3, "max_steps": 2}, {"steps": 2, "epochs": 0.5}, "--max-steps"),
        ({"epochs": 3, "max_minutes": 1.0}, {"steps": 2, "epochs": 0.5}, "--max-minutes"),
        ({"epochs": 3, "max_minutes": 9.0}, {"steps": 9, "epochs": 3.0}, "--epochs"),
    ):
        told = {**record, "settings": settings, "training": {**training, "best": {"metric": "loss", "step": 2}}}
        assert f"more {flag} may help" in " ".join(advice.next_steps(told, {}, log))


@pytest.mark.parametrize(
    ("base", "origin"),
    [
        ({"id": "org/base", "source": "hub", "license": "mit"}, "org/base"),
        ({"id": "offline:all-MiniLM-L6-v2", "source": "offline", "license": "mit"}, "sentence-transformers/all-MiniLM-L6-v2"),
        ({"id": "older", "source": "folder", "made_from": "org/base", "license": "mit"}, "org/base"),
    ],
)
def test_a_base_and_its_licence_go_on_with_a_runs_model(base: dict[str, str], origin: str, tmp_path: Path) -> None:
    make_model(tmp_path / "adapted" / "model")
    (tmp_path / "adapted" / "run.json").write_text(json.dumps({"schema": 1, "base_model": base}), encoding="utf-8")
    found = hub.resolve(str(tmp_path / "adapted" / "model"))
    assert (found.id, found.license) == ("adapted", "mit")
    record = {"name": "fine", "task": "regression", "base_model": found.record()}
    head = card.metadata(record, {})
    assert f"base_model: {origin}" in head and "license: mit" in head
    assert card.base_model(record) == ""  # an adapter does not stand on it
    assert "base_model" not in card.metadata({**record, "settings": {"method": "lora"}}, {})
    text = space.body("a", tasks.get("regression"), record, told=[], commands=[])
    assert f"Made from {origin}" in text and "was made from: mit" in text


def test_a_folder_that_is_no_runs_hands_nothing_on(tmp_path: Path) -> None:
    found = hub.resolve(str(make_model(tmp_path / "mine")))
    assert (found.id, found.license, found.made_from) == ("mine", "", "")


@pytest.mark.parametrize(
    "base", [{"id": "offline:zh-mini", "source": "offline"}, {"id": "adapted", "source": "folder", "made_from": "offline:zh-mini"}]
)
def test_a_packaged_base_that_no_hub_has_is_named_with_its_terms(base: dict[str, str]) -> None:
    record = {"base_model": {**base, "license": "other"}}
    text = space.body("a", tasks.get("regression"), record, told=[], commands=[])
    assert "Made from zh-mini (weitiao-zh-mini==0.1.0)" in text
    assert "published for research" in text and "weitiao_zh_mini/model/README.md" in text
