"""One contract over every task file in the folder: a new file is tested unasked."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest

from weitiao import tasks
from weitiao.data.records import Records
from weitiao.errors import DataError, ModelError, UsageError
from weitiao.fields import FieldType
from weitiao.processing import Features

ALL = list(tasks.all_tasks().values())


class Letters:
    """A processor that needs no vocabulary: one token a character."""

    def text(self, a: str, b: str | None = None, *, max_length: int) -> Features:
        ids = [ord(c) % 50 for c in a + (b or "")]
        return Features({"input_ids": ids[:max_length]}, cut=max(0, len(ids) - max_length))


@pytest.mark.parametrize("task", ALL, ids=lambda t: t.name)
def test_the_declaration_is_complete(task: tasks.Task) -> None:
    assert task.name == Path(__import__(type(task).__module__, fromlist=["x"]).__file__).stem.replace("_", "-")
    assert task.summary and task.inputs
    assert task.headline.direction in ("max", "min")
    for field in (*task.inputs, *task.outputs):
        assert field.type in FieldType.__args__
        assert field.optional or field.name in task.example
    for name in (task.name, *task.aliases):
        assert tasks.get(name) is task


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


def test_labels_are_kept_as_written_and_ordered() -> None:
    assert CLASSIFY.learn(records(["10", "9", "10", "1"]), SETTINGS)["labels"] == ["1", "9", "10"]
    assert CLASSIFY.learn(records(["b", "10", "a"]), SETTINGS)["labels"] == ["10", "a", "b"]
    assert CLASSIFY.learn(records(["true", "false"]), SETTINGS)["labels"] == ["false", "true"]
    assert CLASSIFY.learn(records(["1", "01"]), SETTINGS)["labels"] == CLASSIFY.learn(records(["01", "1"]), SETTINGS)["labels"]


def test_one_label_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match='same label "1"'):
        CLASSIFY.learn(records(["1", "1"]), SETTINGS)


def test_encode_and_decode() -> None:
    spec = {"labels": ["a", "b", "c"]}
    (features,) = CLASSIFY.encode({"text": "hello", "label": "b"}, Letters(), spec, max_length=4, for_training=True)
    assert (features.target, features.cut, len(features)) == (1, 1, 4)
    (features,) = CLASSIFY.encode({"text": "hello"}, Letters(), spec, max_length=9, for_training=False)
    assert features.target is None
    prediction = CLASSIFY.decode({"text": "hello"}, [features], [{"logits": np.array([1.0, 3.0, 2.0], dtype=np.float32)}], spec, Letters())
    assert prediction["label"] == "b"
    assert math.isclose(sum(prediction["probabilities"].values()), 1.0)
    assert math.isclose(prediction["score"], math.exp(3) / (math.exp(1) + math.exp(2) + math.exp(3)), rel_tol=1e-6)
    with pytest.raises(DataError, match='"d"'):
        CLASSIFY.encode({"text": "hello", "label": "d"}, Letters(), spec, max_length=9, for_training=True)


def test_a_config_without_labels_cannot_classify() -> None:
    assert CLASSIFY.spec_from({"id2label": {"1": "pos", "0": "neg"}}, SETTINGS)["labels"] == ["neg", "pos"]
    with pytest.raises(ModelError, match="id2label"):
        CLASSIFY.spec_from({}, SETTINGS)
