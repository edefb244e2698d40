"""What 8 bits may cost an export: half a point of the figure, an entity in a hundred, and what a run that finds nothing right can show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences
from tests.own_tasks import PLAIN, written
from weitiao import tasks
from weitiao.deploy import costs, gate, int8
from weitiao.deploy import export as exporting
from weitiao.deploy.costs import judged
from weitiao.deploy.export import export
from weitiao.errors import GateError
from weitiao.runs import RunFolder

LABELS, ENTITIES = tasks.get("text-classification"), tasks.get("token-classification")


def proof(**given: Any) -> dict[str, Any]:
    """What the gate found of an export that answers as its run does."""
    same = {"rows": 1000, "equal": 1.0, "kept": 1.0, "decided": 1000, "decided_otherwise": 1000}
    same |= {"metric": "f1_macro", "run": 0.8, "value": 0.8, "lost": 0.0}
    return {**same, **given}


def test_labels_are_judged_by_their_figure_alone() -> None:
    assert judged(LABELS, proof()) == (costs.POINTS, False, ())
    assert not judged(LABELS, proof(equal=0.97, kept=0.97, lost=0.004)).too_high  # what is lost and what is won may make up for each other
    assert judged(LABELS, proof(equal=0.99, kept=0.99, lost=0.006)).too_high
    assert judged(LABELS, proof(metric="perplexity", run=12.0, lost=0.05)).allowed == pytest.approx(0.06)


def test_entities_must_be_the_same_entities() -> None:
    found = {"metric": "f1", "equal": 0.999}
    assert not judged(ENTITIES, proof(**found, kept=0.992)).too_high
    cost = judged(ENTITIES, proof(**found, kept=0.95, decided=300))
    assert cost.too_high and cost.said == (
        "Of what the two find (300 by the run) 95.0% is the same, by its ends and its type (99% are asked for).",
    )


@pytest.mark.parametrize("task", [LABELS, ENTITIES], ids=lambda task: task.name)
def test_a_run_that_is_right_about_nothing_is_judged_by_its_answers(task: Any) -> None:
    nothing = {"metric": "f1", "run": 0.0, "value": 0.0, "lost": 0.0}
    cost = judged(task, proof(**nothing, equal=0.925, kept=0.925))
    assert (
        cost.too_high and "The run's F1 is 0.000 and cannot lose more than 0.005" in cost.said[0] and "92.5% are the same" in cost.said[0]
    )
    assert "Train the run better first" in cost.said[0]
    same = judged(task, proof(**nothing))
    assert not same.too_high and "100.0% are the same" in same.said[0]  # said where it passes, too
    # A correlation of 0 can fall further, and an error has no end.
    for metric in ("pearson", "mae"):
        assert "cannot lose" not in str(judged(task, proof(metric=metric, run=0.0)))
    texts = {
        name: value
        for name, value in proof(metric="bleu", run=0.0, equal=0.5).items()
        if name not in ("kept", "decided", "decided_otherwise")
    }
    assert judged(task, texts).too_high


@pytest.mark.parametrize("task", [LABELS, ENTITIES], ids=lambda task: task.name)
def test_a_loss_that_is_no_number_is_too_high(task: Any) -> None:
    lost = judged(task, proof(value=float("nan"), lost=float("nan")))
    assert lost.too_high and "cannot lose" not in str(lost.said)
    assert judged(task, proof(run=float("nan"), value=float("nan"), lost=float("nan"))).too_high


def test_a_figure_that_is_low_and_not_zero_is_said_to_be_so() -> None:
    assert "The run's F1 is 0.004 and cannot lose more than 0.005" in judged(LABELS, proof(metric="f1", run=0.004, value=0.004)).said[0]


def test_how_low_a_figure_of_somebodys_own_can_be_is_not_told_by_its_name(tmp_path: Path) -> None:
    mine = tasks.get(str(written(tmp_path, PLAIN)))
    assert mine.origin is not None
    assert judged(mine, proof(metric="bleu", run=0.004, value=0.004, kept=0.9)).said == ()


def test_few_rows_are_said_to_be_few() -> None:
    (said,) = judged(LABELS, proof(rows=56, decided=56)).said
    assert "Only 56 answers were compared" in said and "From 200 answers on" in said
    assert "Only 30 answers" in judged(ENTITIES, proof(metric="f1", decided=30)).said[-1]
    assert "finds nothing" in judged(ENTITIES, proof(metric="f1", run=0.0, decided=0, decided_otherwise=0)).said[-1]
    only_there = judged(ENTITIES, proof(metric="f1", run=0.0, kept=0.0, decided=0, decided_otherwise=3))
    assert only_there.too_high and "in 8 bits 3" in only_there.said[-1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> weitiao.Run:
    """A run that finds entities everywhere and is right about none: hardly trained."""
    folder = tmp_path_factory.mktemp("names")
    lines = ["\n".join(f"{word} {'B-GOOD' if word == 'lovely' else 'O'}" for word in text.split()) for text, _ in sentences(60)]
    data = folder / "names.conll"
    data.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    base = make_model(folder / "base")
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 16, "lr": 1e-6, "max_length": 32, "threads": 1, "test": "0.4", "seed": 3}
    return weitiao.train(str(data), task="ner", model=str(base), out=str(folder / "run"), **settings)


def test_a_tagger_that_is_right_about_nothing_does_not_pass_with_changed_answers(
    names: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Outcome]
) -> None:
    pytest.importorskip("onnx")
    monkeypatch.setattr(exporting, "FASTER", 0.0)
    assert names.record["evaluation"]["metrics"]["f1"] < 0.3
    monkeypatch.setattr(int8, "WEIGHT", 1)  # so coarse that answers change
    scored = names.task.score

    def nothing_right(predictions: Any, records: Any, spec: Any) -> Any:
        wrong = [{**one, "spans": [{**span, "label": "OTHER"} for span in one["spans"]]} for one in predictions]
        return scored(wrong, records, spec)

    monkeypatch.setattr(type(names.task), "score", lambda self, *given: nothing_right(*given))
    with pytest.raises(GateError, match=r"f1 is 0\.0000 .*The run's F1 is 0\.000 and cannot lose more than"):
        export(names.path, "onnx-int8", tmp_path / "export")
    assert not (tmp_path / "export").exists()
    made = export(names.path, "onnx-int8", tmp_path / "lossy", allow_lossy=True)
    assert made["kept"] < costs.KEPT and made["lost"] == 0.0
    assert "cannot lose more than" in RunFolder(tmp_path / "lossy").record()["export"]["lossy"]
    monkeypatch.setattr(int8, "WEIGHT", 63)
    done = command("export", str(names.path), "--to", "onnx-int8", "--out", str(tmp_path / "fine"))
    # Said where it passes as well.
    assert done.code == 0 and "cannot lose more than" in done.err and "of them, and 1.0% may change" in done.err
    assert "same answers  100% · 0 of 24 differ" in done.out


def test_the_gate_counts_what_is_decided_and_what_stays(names: weitiao.Run) -> None:
    predictor = names.predictor()
    records, held = gate.held_out(names.folder, names.task)
    found = gate.parity(predictor, predictor, records, held=held)
    answers = list(predictor.predict(records))
    assert found["kept"] == 1.0 and found["decided"] == sum(len(answer["spans"]) for answer in answers)
