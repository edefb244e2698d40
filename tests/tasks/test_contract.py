"""One contract, every task with every family of models that can do it: it learns by heart, comes back from the disk the same, and answers a
record alone as it does among others. A new task file, and a new architecture, are tested unasked.
"""

import json
import subprocess
import sys
from collections.abc import Callable
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
from weitiao.engine.models import LoadedModel, class_for, load_model, save_model
from weitiao.engine.objectives import OBJECTIVES, objective_for
from weitiao.engine.prediction import predictor_for
from weitiao.engine.training import make_optimizer
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
    predictor = load_predictor(task, saved["spec"], place, {}, saved["max_length"])
    (place / "again.json").write_text(json.dumps(list(predictor.predict(saved["records"]))))
"""
Made = dict[str, Any]


@pytest.fixture(scope="module")
def blanks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Task, str], Path]:
    """A blank model of a family whose tokenizer has seen a task's records, made once."""
    folder = tmp_path_factory.mktemp("blanks")

    def make(task: Task, family: str) -> Path:
        place = folder / task.name / family
        if not place.exists():
            write_blank(place, ARCHITECTURES[family], list(task.texts(_records(task))), seed=1, size=SMALL)
        return place

    return make


@pytest.fixture(scope="module")
def saved() -> list[Path]:
    """Folders that later tests read in another process."""
    return []


def _records(task: Task) -> Records:
    rows = [task.prepare(record) for record in varied(task)]
    return Records({name: [row.get(name) for row in rows] for name in rows[0]}, np.arange(len(rows)), "made.jsonl")


def _pairs() -> list[Any]:
    return [pytest.param(task, family, id=f"{task.name}-{family}") for task in TRAINABLE for family in ARCHITECTURES]


@pytest.mark.parametrize(("task", "family"), _pairs())
def test_it_learns_saves_and_answers_alone_as_among_others(
    task: Task, family: str, blanks: Callable[[Task, str], Path], saved: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    records = _records(task)
    settings = tasks.settings_of(task)()
    spec = task.learn(records, settings)
    head = task.head(spec)
    place = blanks(task, family)
    try:
        class_for(place, head.classes)
    except ModelError:
        pytest.skip(f"transformers has no {' or '.join(head.classes)} for {family}")
    seed_generators(1)
    loaded = load_model(place, head.classes, task.model_config(spec), Machine("cpu", "fp32", 1))
    spec = task.fit(spec, loaded.processor)
    max_length = min(task.max_length, loaded.limit or task.max_length)
    first, last = _learn(task, spec, loaded, records, max_length)
    assert last < 0.8 * first, f"the loss went from {first:.3f} to {last:.3f}"

    predictor = predictor_for(task, spec, loaded, max_length)
    inputs = [{name: (None if name in {field.name for field in task.outputs} else row[name]) for name in row} for row in records]
    together = list(predictor.predict(inputs))
    _assert_close(together, [next(predictor.predict([row])) for row in inputs])
    # Order: the same records the other way round, padded by other neighbours.
    _assert_close(together, list(predictor.predict(inputs[::-1]))[::-1])
    scores = task.score(list(predictor.predict(records)), records, spec)
    assert all(np.isfinite(value) for value in scores["metrics"].values())
    assert set(task.flat(together[0])) == set(task.columns(spec))

    folder = tmp_path_factory.mktemp(f"{task.name}-{family}") / "model"
    save_model(loaded, folder, max_length=max_length)
    kept = {"task": task.name, "spec": spec, "max_length": max_length, "records": inputs, "predictions": together}
    (folder / "saved.json").write_text(json.dumps(kept))
    saved.append(folder)


def test_a_fresh_process_predicts_the_same(saved: list[Path]) -> None:
    if not saved:
        pytest.skip("nothing was saved in this run")
    subprocess.run([sys.executable, "-c", CHILD, *map(str, saved)], check=True)
    for folder in saved:
        before = json.loads((folder / "saved.json").read_text())["predictions"]
        _assert_close(before, json.loads((folder / "again.json").read_text()), where=folder.parent.name)


def _learn(task: Task, spec: Spec, loaded: LoadedModel, records: Records, max_length: int) -> tuple[float, float]:
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
    for step in range(STEPS):
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


def _assert_close(one: Any, other: Any, *, where: str = "") -> None:
    """Equal answers, and numbers equal to 1e-5 (a few parts in 1e-5 of large ones)."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            _assert_close(one[key], other[key], where=f"{where}/{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for at, (a, b) in enumerate(zip(one, other, strict=True)):
            _assert_close(a, b, where=f"{where}/{at}")
    elif isinstance(one, float) and not isinstance(one, bool):
        assert abs(one - other) <= 1e-5 * max(1.0, abs(one)), f"{where}: {one} and {other}"
    else:
        assert one == other, f"{where}: {one!r} and {other!r}"
