"""The loop's promises: normalised over the step, however it is cut; memory running out; stopping early; keeping the best."""

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from tests.conftest import make_model, sentences
from tests.listening import Listener
from weitiao.config import TrainingSettings
from weitiao.engine.checkpoints import CheckpointStore
from weitiao.engine.devices import Machine
from weitiao.engine.job import Job
from weitiao.engine.models import load_model
from weitiao.engine.objectives import Collated, Example
from weitiao.engine.objectives.rows import Classification
from weitiao.engine.optimization import learning_rate, make_optimizer
from weitiao.engine.training import Trainer
from weitiao.errors import ModelError, ResourceError
from weitiao.processing import Features
from weitiao.tasks.base import Headline


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[Callable[..., Trainer]]:
    folder = make_model(tmp_path / "m", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

    def make(evaluate: Callable[[], dict[str, float]] | None = None, **settings: Any) -> Trainer:
        torch.manual_seed(0)
        loaded = load_model(folder, ("AutoModelForSequenceClassification",), {"num_labels": 2}, Machine("cpu", "fp32", 1))
        examples: list[Example] = []
        for text, label in sentences(40):
            row = loaded.processor.text(text, max_length=32)
            row.target = int(label == "good")
            examples.append([row])
        chosen = TrainingSettings(**{"epochs": 1, "batch_size": 8, "lr": 1e-3, **settings})
        store = CheckpointStore(tmp_path / "checkpoints")
        store.folder.mkdir(exist_ok=True)
        objective = Classification.of(chosen, examples, {})
        job = Job(loaded, objective, examples, chosen, Headline("f1_macro", "max"), evaluate, store, lambda line: None, Listener())
        return Trainer(job, Accelerator(cpu=True))

    yield make
    AcceleratorState._reset_state(reset_partial_state=True)


def slopes(trainer: Trainer, rows: list[Example]) -> tuple[float, list[torch.Tensor]]:
    loss = trainer._accumulate(rows, 0)
    found = [p.grad.clone() for p in trainer.trained if p.grad is not None]
    trainer.optimizer.zero_grad()
    return loss, found


@pytest.mark.parametrize("weighing", ["none", "balanced"])
def test_cutting_a_step_changes_nothing(trainer: Callable[..., Trainer], weighing: str) -> None:
    whole = trainer(class_weights=weighing)
    rows = list(whole.job.examples[:9])
    loss, gradients = slopes(whole, rows)
    cut = trainer(class_weights=weighing, token_budget=40)
    cut_loss, cut_gradients = slopes(cut, rows)
    assert math.isclose(loss, cut_loss, rel_tol=1e-5)
    for ours, theirs in zip(cut_gradients, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_the_loss_is_torch_cross_entropy() -> None:
    examples: list[Example] = [[Features({"input_ids": [1]}, target=t)] for t in (0, 0, 0, 1, 2, 2)]
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([row.target for (row,) in examples])
    batch = Collated({}, {"labels": targets}, [1] * 6, list(range(6)))
    outputs = type("Outputs", (), {"logits": logits})()
    for weighing, smoothing in (("none", 0.0), ("none", 0.1), ("balanced", 0.0)):
        objective = Classification.of(TrainingSettings(class_weights=weighing, label_smoothing=smoothing), examples, {})
        weight = torch.tensor([6 / 9, 2.0, 1.0]) if weighing == "balanced" else None
        expected = torch.nn.functional.cross_entropy(logits, targets, weight=weight, label_smoothing=smoothing)
        assert math.isclose(float(objective.loss(outputs, batch)) / objective.terms(examples), float(expected), rel_tol=1e-6)


def test_memory_running_out_lowers_the_budget_and_keeps_the_step(trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch) -> None:
    roomy, tight = trainer(), trainer()
    rows = list(roomy.job.examples[:8])
    loss, gradients = slopes(roomy, rows)
    honest = tight.job.loaded.forward

    def forward(batch: Any) -> Any:
        if sum(batch.lengths) > 50:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99")
        return honest(batch)

    monkeypatch.setattr(tight.job.loaded, "forward", forward)
    tight_loss, tight_gradients = slopes(tight, rows)
    assert 0 < tight.progress.token_budget <= 50
    assert "8 rows a step" in tight.job.observer.warnings[-1]
    assert math.isclose(loss, tight_loss, rel_tol=1e-5)
    for ours, theirs in zip(tight_gradients, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_a_single_row_that_does_not_fit_is_an_error(trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch) -> None:
    tight = trainer()

    def forward(batch: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(tight.job.loaded, "forward", forward)
    with pytest.raises(ResourceError, match="--max-length"):
        tight.train()


def test_a_step_that_cannot_be_cut_asks_for_fewer_rows(trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch) -> None:
    tight = trainer()
    monkeypatch.setattr(tight.job.objective, "divisible", False)

    def forward(batch: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(tight.job.loaded, "forward", forward)
    with pytest.raises(ResourceError, match=r"a step of 8 rows .* cannot be cut\. Lower --batch-size \(8\)"):
        tight.train()


def test_other_errors_are_not_taken_for_memory(trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = trainer()

    def forward(batch: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(broken.job.loaded, "forward", forward)
    with pytest.raises(RuntimeError, match="shapes"):
        broken.train()


def test_a_loss_that_is_no_number_is_an_error(trainer: Callable[..., Trainer]) -> None:
    diverged = trainer()
    with torch.no_grad():
        diverged.trained[0].fill_(math.inf)
    with pytest.raises(ModelError, match="--lr"):
        diverged.train()


def test_the_best_weights_are_kept_and_patience_ends_it(trainer: Callable[..., Trainer]) -> None:
    values = iter([0.5, 0.9, 0.7, 0.8, 0.95])
    seen: list[torch.Tensor] = []

    def evaluate() -> dict[str, float]:
        seen.append(stopping.trained[-2].detach().clone())
        return {"f1_macro": next(values)}

    stopping = trainer(evaluate, epochs=5, patience=2)
    progress = stopping.train()
    assert progress.epoch == 4
    assert progress.best == {"epoch": 2, "step": 10, "metric": "f1_macro", "value": 0.9}
    assert torch.equal(stopping.trained[-2], seen[1])
    assert "Stopped early" in stopping.job.observer.notes[-1]


@pytest.mark.parametrize(
    ("figures", "best"),
    [
        ([{"f1_macro": 0.5}] * 3, 3),  # nothing else is known: the one that has learned longest
        ([{"f1_macro": 0.5, "log_loss": loss} for loss in (0.9, 0.7, 0.8)], 2),
        ([{"f1_macro": 0.5, "rmse": loss} for loss in (0.9, 0.7, 0.7)], 3),
        ([{"f1_macro": score, "log_loss": loss} for score, loss in ((0.5, 0.9), (0.6, 0.8), (0.5, 0.1))], 2),
        ([{"f1_macro": math.nan}] * 3, None),
    ],
)
def test_of_epochs_that_are_as_good_the_lower_loss_decides(
    figures: list[dict[str, float]], best: int | None, trainer: Callable[..., Trainer]
) -> None:
    """Of one validation row many a metric is the same in every epoch."""
    values, seen = iter(figures), []

    def evaluate() -> dict[str, float]:
        seen.append(tied.trained[-2].detach().clone())
        return next(values)

    tied = trainer(evaluate, epochs=3)
    progress = tied.train()
    assert (progress.best or {"epoch": None})["epoch"] == best
    assert torch.equal(tied.trained[-2], seen[(best or 3) - 1])


def test_a_tie_is_nothing_to_wait_on_for(trainer: Callable[..., Trainer]) -> None:
    assert trainer(lambda: {"f1_macro": 0.5}, epochs=9, patience=2).train().epoch == 3


def test_measuring_changes_no_weight(trainer: Callable[..., Trainer]) -> None:
    measured, fresh = trainer(), trainer()
    seconds, memory = measured.measure()
    assert seconds > 0 and memory > 0
    measured.train()
    fresh.train()
    for ours, theirs in zip(measured.trained, fresh.trained, strict=True):
        assert torch.equal(ours, theirs)


def test_biases_and_norms_do_not_decay(trainer: Callable[..., Trainer]) -> None:
    network = trainer().job.loaded.network
    decayed, spared = make_optimizer(network, TrainingSettings(weight_decay=0.1)).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    names = {id(p): n for n, p in network.named_parameters()}
    assert all("LayerNorm" in names[id(p)] or names[id(p)].endswith("bias") for p in spared["params"])
    assert not any("LayerNorm" in names[id(p)] or names[id(p)].endswith("bias") for p in decayed["params"])


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_the_learning_rate_rises_and_falls(schedule: str) -> None:
    settings = TrainingSettings(lr=1.0, warmup=0.1, schedule=schedule)
    rates = [learning_rate(step, 100, settings) for step in range(100)]
    assert rates[:10] == sorted(rates[:10]) and rates[9] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))
    assert rates[-1] == 1.0 if schedule == "constant" else rates[-1] < 0.02


def test_the_loop_learns(trainer: Callable[..., Trainer]) -> None:
    learner = trainer(epochs=25, lr=5e-3)
    history = learner.train().history
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
