"""What the contract tests share: records that are learned by heart, blank models of every family, and another process that reads what was
saved.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tasks.variations import varied
from weitiao import tasks
from weitiao.config import TrainingSettings
from weitiao.data.records import Records
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank
from weitiao.engine.devices import Machine, seed_generators
from weitiao.engine.models import LoadedModel, class_for, load_model
from weitiao.engine.objectives import OBJECTIVES, objective_for
from weitiao.engine.optimization import make_optimizer
from weitiao.errors import ModelError
from weitiao.tasks.base import Spec, Task

SMALL = Size(width=32, layers=2, heads=4, positions=256, vocabulary=400)
STEPS = 200  # at most: a family that learns sooner stops sooner
TRAINABLE = [task for task in tasks.all_tasks().values() if task.trainable]
# A later process reads what every test of this module saved, all in one go: starting one for each would take an hour.
CHILD = """
import json, sys
from pathlib import Path
from weitiao import tasks
from weitiao.engine.pretrained import load_predictor

for place in map(Path, sys.argv[1:]):
    saved = json.loads((place / "saved.json").read_text())
    task = tasks.get(saved["task"])
    base = saved.get("base")
    own = task.model_config(saved["spec"]) if base else {}
    adapter = {"adapter": place} if base else {}
    predictor = load_predictor(task, saved["spec"], Path(base or place), own, saved["max_length"], **adapter)
    (place / "again.json").write_text(json.dumps(list(predictor.predict(saved["records"]))))
"""


def records_of(task: Task) -> Records:
    rows = [task.prepare(record) for record in varied(task)]
    return Records({name: [row.get(name) for row in rows] for name in rows[0]}, np.arange(len(rows)), "made.jsonl")


def pairs() -> list[Any]:
    return [pytest.param(task, family, id=f"{task.name}-{family}") for task in TRAINABLE for family in ARCHITECTURES]


class Blanks:
    """Blank models of a family whose tokenizer has seen a task's records, each made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, task: Task, family: str, seed: int = 1) -> tuple[Path, LoadedModel, Spec, int]:
        """The folder, the model with a fresh head, what the task learned, and the longest text. Skips what transformers cannot build."""
        place = self.folder / task.name / f"{family}-{seed}"
        if not place.exists():
            write_blank(place, ARCHITECTURES[family], list(task.texts(records_of(task))), seed=seed, size=SMALL)
        spec = task.learn(records_of(task), tasks.settings_of(task)())
        head = task.head(spec)
        try:
            class_for(place, head.classes)
        except ModelError:
            pytest.skip(f"transformers has no {' or '.join(map(str, head.classes))} for {family}")
        seed_generators(seed)
        loaded = load_model(place, head.classes, task.model_config(spec), Machine("cpu", "fp32", 1))
        return place, loaded, task.fit(spec, loaded.processor), min(task.max_length, loaded.limit or task.max_length)


def asked(task: Task) -> list[dict[str, Any]]:
    """The records without their answers."""
    outputs = {field.name for field in task.outputs}
    return [{name: None if name in outputs else row[name] for name in row} for row in records_of(task)]


def read_again(saved: list[Path]) -> None:
    """Another process predicts with everything that was saved, and must answer the same."""
    if not saved:
        pytest.skip("nothing was saved in this run")
    subprocess.run([sys.executable, "-c", CHILD, *map(str, saved)], check=True)
    for folder in saved:
        before = json.loads((folder / "saved.json").read_text())["predictions"]
        assert_close(before, json.loads((folder / "again.json").read_text()), where=folder.parent.name)


def learn(task: Task, spec: Spec, loaded: LoadedModel, records: Records, max_length: int, steps: int = STEPS) -> tuple[float, float]:
    """The mean loss before and after some steps on all records at once, until it has halved."""
    objective_class = OBJECTIVES[task.head(spec).objective]
    examples: list[Any] = []
    for record in records:
        features = task.encode(record, loaded.processor, spec, max_length=max_length, for_training=True)
        examples += [features] if objective_class.grouped else [[one] for one in features]
    settings = TrainingSettings(lr=3e-3, threads=1)
    objective = objective_for(task.head(spec).objective, spec, settings, examples)
    optimizer = make_optimizer(loaded.network, settings)
    loaded.network.train()
    losses = []
    for step in range(steps):
        seed_generators(1, 0, step)
        rows = objective.drawn(examples, np.random.default_rng([1, step]))
        batch = objective.collate(rows, loaded.padding)
        loss = objective.loss(loaded.forward(batch), batch) / objective.terms(rows)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
        if step > 5 and np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3]):
            break
    return float(np.mean(losses[:3])), float(np.mean(losses[-3:]))


def assert_close(one: Any, other: Any, *, where: str = "") -> None:
    """Equal answers, and numbers equal to 1e-5 (a few parts in 1e-5 of large ones)."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_close(one[key], other[key], where=f"{where}/{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for at, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_close(a, b, where=f"{where}/{at}")
    elif isinstance(one, float) and not isinstance(one, bool):
        assert abs(one - other) <= 1e-5 * max(1.0, abs(one)), f"{where}: {one} and {other}"
    else:
        assert one == other, f"{where}: {one!r} and {other!r}"
