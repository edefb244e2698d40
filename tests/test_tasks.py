"""One contract over every task file in the folder: a new file is tested unasked."""

import ast
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import transformers

from tests.tasks.variations import varied
from weitiao import tasks
from weitiao.config import setting_fields
from weitiao.data.records import Records
from weitiao.engine.dual import DualEncoder
from weitiao.engine.objectives import OBJECTIVES
from weitiao.errors import DataError, ModelError, UsageError
from weitiao.fields import FieldType
from weitiao.processing import Features
from weitiao.tasks.base import Task

ALL = list(tasks.all_tasks().values())


class Letters:
    """A processor that needs no vocabulary: one token a character."""

    def text(self, a: str, b: str | None = None, *, max_length: int) -> Features:
        ids = [ord(c) % 50 for c in a + (b or "")]
        return Features({"input_ids": ids[:max_length]}, cut=max(0, len(ids) - max_length))


@pytest.mark.parametrize("name", ["text-classification", "image-text-classification"])
def test_labels_that_are_numbers_stand_in_the_order_of_numbers(name: str) -> None:
    task = tasks.get(name)
    records = Records({"text": ["a"] * 4, "image": ["a.png"] * 4, "label": ["10", "9", "1", "9"]}, np.arange(4), "a.csv")
    assert task.learn(records, tasks.settings_of(task)())["labels"] == ["1", "9", "10"]


@pytest.mark.parametrize("task", ALL, ids=lambda t: t.name)
def test_the_declaration_is_complete(task: Task) -> None:
    assert task.name == Path(__import__(type(task).__module__, fromlist=["x"]).__file__).stem.replace("_", "-")
    assert task.summary and task.headline.direction in ("max", "min")
    assert all(ending.startswith(".") for ending in task.endings)
    for field in (*task.inputs, *task.outputs):
        assert field.type in FieldType.__args__
        assert field.name in task.example or field.optional
    for name in (task.name, *task.aliases):
        assert tasks.get(name) is task


@pytest.mark.parametrize("task", ALL, ids=lambda t: t.name)
def test_a_tasks_own_settings_take_no_name_that_is_taken(task: Task) -> None:
    own = tasks.settings_of(task)
    names = [declared.name for declared in dataclasses.fields(own)]
    flags = [field.flag for field in (*task.inputs, *task.outputs) if field.flag]
    assert len(flags) == len(set(flags)) and set(flags) <= set(names)
    assert not set(names) & setting_fields().keys()
    for declared in dataclasses.fields(own):
        assert declared.metadata["column"] or declared.metadata["help"].endswith("."), declared.name
    recipe = tasks.recipe({"task": task.name})
    assert recipe.task == own() and tasks.recipe(recipe.flat()) == recipe


@pytest.mark.parametrize("task", [one for one in ALL if one.trainable], ids=lambda t: t.name)
def test_the_head_is_one_that_the_engine_knows(task: Task) -> None:
    rows = [task.prepare(record) for record in varied(task)]
    records = Records({name: [row.get(name) for row in rows] for name in rows[0]}, np.arange(len(rows)), "a.jsonl")
    head = task.head(task.learn(records, tasks.settings_of(task)()))
    known = {DualEncoder.__name__, *(name for name in dir(transformers) if name.startswith("AutoModel"))}
    assert head.classes and set(head.classes) <= known
    assert head.objective in OBJECTIVES


@pytest.mark.parametrize("path", sorted(Path(tasks.__file__).parent.glob("*.py")), ids=lambda p: p.name)
def test_no_task_imports_torch_even_inside_a_function(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(name.split(".")[0] in ("torch", "transformers") for name in names)


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UsageError, match='Did you mean "text-classification"'):
        tasks.get("text-clasification")


def records(labels: list[str]) -> Records:
    return Records({"text": [f"text {i}" for i in range(len(labels))], "label": labels}, np.arange(len(labels)), "a.csv")


CLASSIFY = tasks.get("text-classification")
SETTINGS = tasks.settings_of(CLASSIFY)()


def learned(labels: list[str]) -> list[str]:
    """The labels in the order in which the task keeps them."""
    return list(CLASSIFY.learn(records(labels), SETTINGS)["labels"])


def test_labels_are_kept_as_written_and_ordered() -> None:
    assert learned(["10", "9", "10", "1"]) == ["1", "9", "10"]
    assert learned(["b", "10", "a"]) == ["10", "a", "b"]
    assert learned(["true", "false"]) == ["false", "true"]
    assert learned(["1", "01"]) == learned(["01", "1"])


def test_one_label_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match='same label "1"'):
        learned(["1", "1"])


def test_encode_and_decode() -> None:
    spec = {"labels": ["a", "b", "c"]}
    (features,) = CLASSIFY.encode({"text": "hello", "label": "b"}, Letters(), spec, max_length=4, for_training=True)
    assert (features.target, features.cut, len(features)) == (1, 1, 4)
    (features,) = CLASSIFY.encode({"text": "hello"}, Letters(), spec, max_length=9, for_training=False)
    assert features.target is None
    outputs = [{"logits": np.array([1.0, 3.0, 2.0], dtype=np.float32)}]
    prediction = CLASSIFY.decode({"text": "hello"}, [features], outputs, spec, Letters())
    assert prediction["label"] == "b"
    assert math.isclose(sum(prediction["probabilities"].values()), 1.0)
    assert math.isclose(prediction["score"], math.exp(3) / (math.exp(1) + math.exp(2) + math.exp(3)), rel_tol=1e-6)
    with pytest.raises(DataError, match='"d"'):
        CLASSIFY.encode({"text": "hello", "label": "d"}, Letters(), spec, max_length=9, for_training=True)


def test_a_config_without_labels_cannot_classify() -> None:
    assert CLASSIFY.spec_from({"id2label": {"1": "pos", "0": "neg"}}, SETTINGS) == {"labels": ["neg", "pos"]}
    with pytest.raises(ModelError, match="id2label"):
        CLASSIFY.spec_from({}, SETTINGS)


def test_a_recipe_has_the_named_tasks_own_settings() -> None:
    recipe = tasks.recipe({"data": "a.csv", "text": "title, body", "label": "stars", "epochs": "2"})
    assert (recipe.task.text, recipe.task.label, recipe.training.epochs) == (("title", "body"), ("stars",), 2)
    asked = tasks.recipe({"task": "qa", "question": "q", "context": ["passage"]})
    assert (asked.task.question, asked.task.context) == (("q",), ("passage",))
    assert not hasattr(asked.task, "text")
    assert tasks.recipe(asked.flat()) == asked


def test_a_name_that_belongs_to_another_task_is_told_whose_it_is() -> None:
    with pytest.raises(UsageError) as caught:
        tasks.recipe({"question": "q"})
    assert str(caught.value).startswith("--question does not belong to text-classification; it belongs to ")
    assert "question-answering" in str(caught.value) and "--task " in str(caught.value)
    with pytest.raises(
        UsageError, match=r"--multi-label does not belong to regression; it belongs to text-classification\b.*--task text-class"
    ):
        tasks.recipe({"task": "regression", "multi_label": True})


def test_a_name_that_no_task_knows_gets_the_nearest_of_this_one() -> None:
    with pytest.raises(UsageError, match=r'no setting "lable"\. Did you mean "label"'):
        tasks.recipe({"lable": "x"})
    with pytest.raises(UsageError, match=r'no setting "quetsion"\. Did you mean "question"'):
        tasks.recipe({"task": "question-answering", "quetsion": "x"})
    with pytest.raises(UsageError, match='no task "text-clasification"'):
        tasks.recipe({"task": "text-clasification", "label": "x"})
