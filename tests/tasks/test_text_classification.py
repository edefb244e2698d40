"""Text classification: several labels and pairs, from the file to the answer, and what is refused."""

import json
import random

import numpy as np
import pytest

import weitiao
from tests.conftest import FILLER, WORDS, make_model
from weitiao import tasks
from weitiao.data.records import Records
from weitiao.errors import DataError, ModelError
from weitiao.processing import Features
from weitiao.tasks.text_classification import task

SEVERAL = {"labels": ["bad", "good"], "multi_label": True, "threshold": 0.5, "pair": False}


def records(answers, **columns):
    return Records({"text": ["x"] * len(answers), **columns, "label": answers}, np.arange(2, 2 + len(answers)), "a.jsonl")


def settings(**given):
    return tasks.recipe(given).task


def decoded(logits, spec):
    return task.decode({}, [], [{"logits": np.array(logits, dtype=np.float32)}], spec, None)


class Echo:
    """A processor that remembers what it was asked."""

    def text(self, a, b=None, *, max_length):
        return Features({"input_ids": [1]}, notes={"asked": (a, b)})


def mixed(path, rows=160, written=json.dumps):
    """A file of texts with good words, bad words, both or neither."""
    draw = random.Random(0)
    lines = []
    for index in range(rows):
        labels = [label for bit, label in enumerate(WORDS) if index >> bit & 1]
        words = draw.choices(FILLER, k=4) + [draw.choice(WORDS[label]) for label in labels]
        draw.shuffle(words)
        lines.append(json.dumps({"text": " ".join(words), "label": written(labels) if written is not json.dumps else labels}))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_one_label_a_row_stays_as_it_was():
    spec = task.learn(records(["10", "9", "10"]), settings())
    assert spec == {"labels": ["9", "10"], "pair": False}
    assert task.head(spec).objective == "classification" and task.judged_by(spec).metric == task.selected_by(spec).metric == "f1_macro"
    assert decoded([0.0, 2.0], spec)["label"] == "10"


def test_lists_mean_several_labels():
    spec = task.learn(records([["b", "a"], [], ["a", "a", ""]]), settings())
    assert spec == {"labels": ["a", "b"], "multi_label": True, "threshold": 0.5, "pair": False}
    assert task.head(spec).objective == "multi-label" and task.judged_by(spec).metric == "f1_micro"
    assert task.model_config(spec)["problem_type"] == "multi_label_classification"
    (features,) = task.encode({"text": "x", "label": ["b", "b"]}, Echo(), spec, max_length=8, for_training=True)
    assert features.target == [0, 1]


@pytest.mark.parametrize("answers", [["a", "a"], [["a"], ["a"]], [[], []]])
def test_nothing_to_tell_apart(answers):
    with pytest.raises(DataError, match="nothing to tell apart"):
        task.learn(records(answers), settings())


def test_an_unknown_label_is_named():
    for spec, label in ((SEVERAL, ["good", "odd"]), ({"labels": ["a", "b"]}, "odd")):
        with pytest.raises(DataError, match='"odd" was not in the training data'):
            task.encode({"text": "x", "label": label}, Echo(), spec, max_length=8, for_training=True)


def test_each_label_is_decided_for_itself():
    answer = decoded([1.0, 3.0], SEVERAL)
    assert answer["labels"] == ["good", "bad"] and answer["probabilities"] == pytest.approx({"bad": 0.7311, "good": 0.9526}, abs=1e-4)
    assert decoded([-1.0, -3.0], SEVERAL)["labels"] == []
    assert decoded([1.0, 3.0], {**SEVERAL, "threshold": [0.7, 0.96]})["labels"] == ["bad"]
    assert task.flat(answer)["labels"] == '["good", "bad"]'
    assert list(task.columns(SEVERAL)) == list(task.flat(answer)) == ["labels", "probability_bad", "probability_good"]


def test_extreme_logits_are_numbers():
    assert decoded([-1e4, 1e4], SEVERAL)["probabilities"] == {"bad": 0.0, "good": 1.0}


def test_validation_rows_choose_the_threshold_unless_it_is_given():
    rows = records([["bad"] if index % 2 else [] for index in range(60)])
    predictions = [{"labels": [], "probabilities": {"bad": 0.2 + 0.1 * (index % 2), "good": 0.1}} for index in range(60)]
    spec = task.calibrate(predictions, rows, SEVERAL)
    assert spec["threshold"] == pytest.approx(0.25) and spec["decision"]["kind"] == "one" and spec["decision"]["rows"] == 60
    given = task.learn(records([["a"], ["b"]]), settings(threshold=0.3))
    assert given["threshold"] == 0.3 and task.calibrate(predictions, rows, given) == given
    assert task.adjusted(spec, {"threshold": 0.9})["threshold"] == 0.9 and task.adjusted(spec, {}) == spec


def test_a_pretrained_model_says_what_it_is():
    config = {"id2label": {"1": "b", "0": "a"}}
    assert task.spec_from(config, settings()) == {"labels": ["a", "b"]}
    several = task.spec_from({**config, "problem_type": "multi_label_classification"}, settings(threshold=0.4))
    assert several["multi_label"] and several["threshold"] == 0.4
    with pytest.raises(ModelError, match="id2label"):
        task.spec_from({}, settings())


def test_both_texts_of_a_pair_are_read():
    spec = task.learn(records(["a", "b"], pair=["y", "z"]), settings())
    assert spec["pair"] is True
    (features,) = task.encode({"text": "x", "pair": "y", "label": None}, Echo(), spec, max_length=8, for_training=False)
    assert features.notes["asked"] == ("x", "y")


def test_several_labels_from_file_to_answer(tmp_path):
    data = mixed(tmp_path / "mixed.jsonl")
    quick = {"model": str(make_model(tmp_path / "tiny")), "batch_size": 16, "lr": 5e-3, "max_length": 32, "threads": 1}
    run = weitiao.train(str(data), out=str(tmp_path / "run"), epochs=20, **quick)
    spec = run.record["spec"]
    assert spec["labels"] == ["bad", "good"] and spec["decision"]["kind"] == "one" and run.record["evaluation"]["headline"] == "f1_micro"
    assert run.metrics["f1_micro"] > 0.6
    assert set(run.record["evaluation"]["baselines"]) == {"most_frequent_labels", "tfidf_one_vs_rest"}
    assert run.predict(["the lovely day was sad", "the lovely day"])[0].keys() == {"labels", "probabilities"}
    done = weitiao.load(run.path).predict_file(str(data), tmp_path / "out.csv")
    assert done["unanswered"] == 0 and "probability_good" in (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[0]
    again = weitiao.load(run.path, threshold=0.999).predict(["the lovely day was sad"])
    assert again[0]["labels"] == []
    import transformers

    pipeline = transformers.pipeline("text-classification", model=str(run.folder.model), top_k=None)
    plain = {one["label"]: one["score"] for one in pipeline(["the lovely day"])[0]}
    assert plain == pytest.approx(run.predict(["the lovely day"])[0]["probabilities"], abs=1e-5)


def test_a_validation_split_without_any_label_stops_no_training(tmp_path):
    data = mixed(tmp_path / "mixed.jsonl", 40)
    held = tmp_path / "held.jsonl"
    held.write_text('{"text": "the day", "label": []}\n{"text": "a box", "label": []}\n', encoding="utf-8")
    quick = {"model": str(make_model(tmp_path / "tiny")), "batch_size": 16, "max_length": 32, "threads": 1, "epochs": 1, "test": 0}
    run = weitiao.train(str(data), out=str(tmp_path / "run"), valid=str(held), **quick)
    assert run.record["status"] == "finished" and run.metrics["average_precision_micro"] == 0.0


def test_texts_with_commas_are_several_labels_where_it_is_said(tmp_path):
    data = mixed(tmp_path / "mixed.jsonl", 40, written=lambda labels: ",".join(labels) or "none")
    found = weitiao.check(str(data), multi_label=True)
    assert {row["label"] for row in found["check"]["labels"]} == {"bad", "good", "none"}
    assert "good,bad" in {row["label"] for row in weitiao.check(str(data))["check"]["labels"]}


def test_a_multi_label_head_starts_from_the_labels_frequencies(tmp_path):
    import torch

    from weitiao.config import TrainingSettings
    from weitiao.engine import devices, models
    from weitiao.engine.objectives import objective_for

    examples = [[Features({"input_ids": [1]}, target=[i % 4 == 0, 0])] for i in range(99)]
    objective = objective_for("multi-label", SEVERAL, TrainingSettings(), examples)
    machine = devices.machine_for(TrainingSettings(device="cpu"))
    loaded = models.load_model(make_model(tmp_path / "tiny"), task.head(SEVERAL).classes, task.model_config(SEVERAL), machine)
    models.set_output_bias(loaded, objective.initial_bias())
    assert torch.sigmoid(loaded.network.classifier.bias).tolist() == pytest.approx([25.5 / 100, 0.5 / 100])
    balanced = objective_for("multi-label", SEVERAL, TrainingSettings(class_weights="balanced"), [[Features({}, target=[1, 0])]])
    assert balanced.initial_bias() is None and balanced.weights.tolist() == pytest.approx([1 / 3, 3])
