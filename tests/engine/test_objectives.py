"""Losses as the settings shape them: the same as torch's own, and never a setting that does nothing."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import weitiao
from weitiao import tasks
from weitiao.config import TrainingSettings
from weitiao.engine.objectives import OBJECTIVES, Collated, Example, Objective, check_honoured, objective_for
from weitiao.errors import UsageError
from weitiao.processing import IGNORED, Features

WORDS = {"mask_id": 1, "vocabulary": 5}
LABELS = [[IGNORED, 0, 0, 2], [0, 1, IGNORED, 0]]  # (rows, length)


def outputs(*shape: int) -> Any:
    return SimpleNamespace(logits=torch.randn(*shape, generator=torch.Generator().manual_seed(0)))


def rows(labels: list[list[int]]) -> list[Example]:
    return [[Features({"input_ids": row}, target=row)] for row in labels]


def mean_loss(objective: Objective, made: Any, examples: list[Example]) -> float:
    batch = Collated({}, {"labels": torch.tensor([f.target for (f,) in examples])}, [4] * len(examples), list(range(len(examples))))
    return float(objective.loss(made, batch)) / objective.terms(examples)


@pytest.mark.parametrize(("weighing", "smoothing"), [("none", 0.0), ("none", 0.1), ("balanced", 0.0)])
def test_tags_are_weighed_and_smoothed_as_torch_does(weighing: str, smoothing: float) -> None:
    # The last of the four labels never occurs: it has no weight of its own, and torch wants one for each.
    made, examples = outputs(2, 4, 4), rows(LABELS)
    objective = objective_for("token-classification", {}, TrainingSettings(class_weights=weighing, label_smoothing=smoothing), examples)
    weight = torch.tensor([6 / (3 * 4), 6 / 3, 6 / 3, 1.0]) if weighing == "balanced" else None
    flat = made.logits.flatten(0, 1), torch.tensor(LABELS).flatten()
    wanted = F.cross_entropy(*flat, weight=weight, ignore_index=IGNORED, label_smoothing=smoothing)
    assert mean_loss(objective, made, examples) == pytest.approx(float(wanted), rel=1e-5)


def test_a_token_weighs_as_much_as_its_tag_with_smoothing_too() -> None:
    made, examples = outputs(2, 4, 3), rows(LABELS)
    objective = objective_for("token-classification", {}, TrainingSettings(class_weights="balanced", label_smoothing=0.1), examples)
    judged = torch.tensor(LABELS) != IGNORED
    labels, weights = torch.tensor(LABELS)[judged], torch.tensor([0.5, 2.0, 2.0])
    each = F.cross_entropy(made.logits[judged], labels, reduction="none", label_smoothing=0.1)
    assert mean_loss(objective, made, examples) == pytest.approx(float((weights[labels] * each).sum() / weights[labels].sum()), rel=1e-5)


@pytest.mark.parametrize(("name", "shift"), [("causal-lm", 1), ("seq2seq-lm", 0), ("masked-lm", 0)])
def test_what_is_written_is_smoothed_in_training_and_never_when_judged(name: str, shift: int) -> None:
    made, examples = outputs(2, 4, 5), rows(LABELS)
    logits = made.logits[:, : 4 - shift].flatten(0, 1), torch.tensor(LABELS)[:, shift:].flatten()
    for settings, smoothing in ((TrainingSettings(label_smoothing=0.2), 0.2), (None, 0.0)):
        wanted = F.cross_entropy(*logits, ignore_index=IGNORED, label_smoothing=smoothing)
        assert mean_loss(objective_for(name, WORDS, settings, examples), made, examples) == pytest.approx(float(wanted), rel=1e-5)


def test_balanced_weights_are_even_over_the_tags() -> None:
    examples = rows(LABELS)
    objective: Any = objective_for("token-classification", {}, TrainingSettings(class_weights="balanced"), examples)
    totals = [sum(float(objective.weights[label]) for row in LABELS for label in row if label == tag) for tag in range(3)]
    assert totals == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("setting", ["class_weights", "label_smoothing"])
def test_a_setting_is_honoured_or_refused(name: str, setting: str) -> None:
    changed = TrainingSettings(**{setting: {"class_weights": "balanced", "label_smoothing": 0.1}[setting]})  # type: ignore[arg-type]
    check_honoured(name, TrainingSettings(), "some-task")
    if setting in OBJECTIVES[name].honours:
        check_honoured(name, changed, "some-task")
        return
    flag = "--" + setting.replace("_", "-")
    with pytest.raises(UsageError, match=f"{flag} .* would change nothing: the loss of some-task"):
        check_honoured(name, changed, "some-task")


def test_a_training_refuses_what_its_loss_has_no_use_for(train_tiny: Callable[..., weitiao.Run], tmp_path: Any) -> None:
    (tmp_path / "n.csv").write_text("text,label\n" + "".join(f"day {n},{n}\n" for n in range(30)))
    with pytest.raises(UsageError, match=r"--class-weights balanced .* regression"):
        train_tiny(data=str(tmp_path / "n.csv"), task="regression", class_weights="balanced")
    assert not (tmp_path / "run").exists()


def test_every_task_names_an_objective_that_says_what_it_honours() -> None:
    honouring = {name for name, objective in OBJECTIVES.items() if "class_weights" in objective.honours}
    assert honouring == {"classification", "multi-label", "token-classification"}
    assert tasks.get("ner").head({}).objective in honouring
