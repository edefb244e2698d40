"""Settings that change how a training computes and not what it computes: each goes the whole way, and the training learns."""

import math
from collections.abc import Callable

import pytest

import weitiao

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
