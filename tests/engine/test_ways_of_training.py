"""Settings that change how a training computes and not what it computes: each goes the whole way, and the training learns."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import weitiao
from tests.conftest import sentences, write_csv
from weitiao import api
from weitiao.observer import SILENT

Train = Callable[..., weitiao.Run]


def losses(run: weitiao.Run) -> list[float]:
    return [line["loss"] for line in run.folder.log() if "loss" in line]


def test_a_tracker_gets_the_figures_of_every_step_and_epoch(train_tiny: Train) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train_tiny(track="tensorboard", epochs=2)
    (events,) = {file.parent for file in run.path.rglob("events.out.tfevents*") if file.parent.name == "weitiao"}
    written = EventAccumulator(str(events))
    written.Reload()
    assert {"train/loss", "train/lr", "validation/f1_macro"} <= set(written.Tags()["scalars"])
    assert [event.value for event in written.Scalars("train/loss")] == pytest.approx(losses(run), abs=1e-5)
    history = run.record["training"]["history"]
    assert [event.step for event in written.Scalars("validation/f1_macro")] == [entry["step"] for entry in history]
    assert weitiao.load(run.path).predict(["a lovely day"])


def test_half_precision_learns_on_a_cpu(train_tiny: Train) -> None:
    run = train_tiny(precision="bf16", epochs=6)
    assert run.record["training"]["precision"] == "bf16"
    assert all(math.isfinite(loss) for loss in losses(run))
    first, *_between, last = (entry["train_loss"] for entry in run.record["training"]["history"])
    assert last < 0.95 * first
    assert math.isfinite(run.predict(["a lovely day"])[0]["score"])


def test_recomputing_activations_changes_no_loss(train_tiny: Train, tmp_path: object) -> None:
    plain = train_tiny(out=f"{tmp_path}/plain")
    recomputed = train_tiny(out=f"{tmp_path}/recomputed", gradient_checkpointing=True)
    assert recomputed.record["settings"]["gradient_checkpointing"] is True
    assert losses(recomputed) == pytest.approx(losses(plain), rel=1e-4)
    assert losses(recomputed)[-1] < losses(recomputed)[0]


def test_the_figures_are_those_of_the_finished_run(train_tiny: Train, tmp_path: Path) -> None:
    """Trained in half precision, a run answers in full; so are its test rows and its thresholds."""
    rows = sentences(120)
    data, held = write_csv(tmp_path / "d.csv", rows[:80]), write_csv(tmp_path / "held.csv", rows[80:])
    run = train_tiny(precision="bf16", epochs=1, data=str(data), test=str(held))
    for line, again in zip(run.folder.predictions(), run.predict([text for text, _label in rows[80:]]), strict=True):
        assert line["prediction"]["score"] == pytest.approx(again["score"], abs=1e-6)
    assert run.record["training"]["precision"] == "bf16"


@pytest.mark.parametrize(("task", "kept"), [("text-classification", set()), ("fill-mask", {"words"})])
def test_training_rows_keep_what_their_objective_reads(task: str, kept: set[str], tiny_model: Path, tmp_path: Path) -> None:
    """Offsets, words and parts are three quarters of a row."""
    data = write_csv(tmp_path / "d.csv", sentences(60))
    settings = {"task": task, "model": str(tiny_model), "out": str(tmp_path / "run"), "max_length": 32, "threads": 1, "text": "text"}
    with api._planned(str(data), settings, SILENT) as (session, _plan):
        features = [one for row in session.rows for one in row]
    assert features
    for one in features:
        assert {name for name in ("offsets", "words", "parts") if getattr(one, name)} == kept
