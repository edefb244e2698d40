"""Regression: standardised inside, its own unit outside; pairs; what is refused."""

import json
import random

import numpy as np
import pytest

import weitiao
from tests.conftest import FILLER, WORDS, make_model
from weitiao import tasks
from weitiao.data.records import Records
from weitiao.errors import DataError, ModelError
from weitiao.observer import Observer
from weitiao.processing import Features
from weitiao.tasks.regression import task

SETTINGS = tasks.recipe({"task": "regression"}).task


class Notes(Observer):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


class Silent:
    """A processor that reads nothing."""

    def text(self, a, b=None, *, max_length):
        return Features({"input_ids": [1]})


def learned(values, **columns):
    rows = Records({"text": ["x"] * len(values), **columns, "value": values}, np.arange(len(values)), "a.csv")
    return task.learn(rows, SETTINGS)


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.5], [1e9, 1e9 + 5], [-1e300, 1e300], [1e-200, 3e-200]])
def test_what_is_standardised_comes_back_in_its_unit(values):
    spec = learned(values)
    for value in values:
        (features,) = task.encode({"text": "x", "value": value}, Silent(), spec, max_length=8, for_training=True)
        assert abs(features.target) < 3
        answer = task.decode({}, [features], [{"logits": np.array([features.target])}], spec, None)
        assert answer["value"] == pytest.approx(value)
    assert json.loads(json.dumps(spec)) == spec


def test_nothing_to_learn_from_one_number():
    with pytest.raises(DataError, match="the same number, 3"):
        learned([3.0, 3.0])


def test_a_pretrained_head_gives_its_own_numbers():
    assert task.spec_from({"id2label": {"0": "LABEL_0"}}, SETTINGS) == {"mean": 0.0, "std": 1.0}
    with pytest.raises(ModelError, match="one number"):
        task.spec_from({"id2label": {"0": "a", "1": "b"}}, SETTINGS)


def stars(path, rows=160, header="stars"):
    """The number of good words, in thousands."""
    draw = random.Random(0)
    lines = [f"text,{header}"]
    for index in range(rows):
        words = draw.choices(FILLER, k=4) + draw.sample(WORDS["good"], index % 4)
        draw.shuffle(words)
        lines.append(f"{' '.join(words)},{1000 * (index % 4)}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_numbers_from_file_to_answer(tmp_path):
    data = stars(tmp_path / "stars.csv")
    quick = {"model": str(make_model(tmp_path / "tiny")), "batch_size": 16, "lr": 5e-3, "max_length": 32, "threads": 1}
    run = weitiao.train(str(data), task="regression", out=str(tmp_path / "run"), epochs=12, **quick)
    assert run.metrics["pearson"] > 0.9 and run.metrics["mae"] < 600 and run.record["evaluation"]["headline"] == "pearson"
    assert set(run.record["evaluation"]["baselines"]) == {"mean", "tfidf_ridge"}
    assert run.record["evaluation"]["residuals"]["points"][0][0] in (0, 1000, 2000, 3000)
    low, high = (answer["value"] for answer in run.predict(["the day was", "the lovely great happy day"]))
    assert low < 1000 < high
    # Plain transformers gives the standardised number.
    import transformers

    (plain,) = transformers.pipeline("text-classification", model=str(run.folder.model), function_to_apply="none")("the day was")
    spec = run.record["spec"]
    assert plain["score"] * spec["std"] + spec["mean"] == pytest.approx(low, abs=0.1)
    done = run.predict_file(str(data), tmp_path / "out.csv")
    assert done["rows"] == 160 and (tmp_path / "out.csv").read_text(encoding="utf-8").startswith("text,stars,value")


def test_what_is_no_number_is_a_bad_row(tmp_path):
    data = stars(tmp_path / "stars.csv", 40, header="评分")
    with data.open("a", encoding="utf-8") as file:
        file.write("\nlovely,many\nlovely,inf\nlovely,")
    with pytest.raises(DataError, match="42"):
        weitiao.check(str(data), task="regression")
    found = weitiao.check(str(data), task="regression", max_bad_rows=2)
    assert found["plan"]["fields"]["value"]["columns"] == ["评分"]
    assert {key: count for key, count in found["ledger"].items() if key.startswith("dropped")} == {
        "dropped:bad_value": 2,
        "dropped:missing_value": 1,
    }


def test_where_all_validation_numbers_are_the_same_the_nearest_answers_win(tmp_path):
    data, held = stars(tmp_path / "stars.csv"), tmp_path / "held.csv"
    rows = data.read_text(encoding="utf-8").splitlines()
    held.write_text("\n".join([rows[0], *(row for row in rows if row.endswith(",2000"))][:20]), encoding="utf-8")
    notes = Notes()
    quick = {"model": str(make_model(tmp_path / "tiny")), "batch_size": 16, "lr": 5e-3, "max_length": 32, "threads": 1, "epochs": 4}
    run = weitiao.train(str(data), task="regression", valid=str(held), out=str(tmp_path / "run"), observer=notes, **quick)
    best = run.record["training"]["best"]
    errors = [epoch["validation"]["rmse"] for epoch in run.record["training"]["history"]]
    assert best["metric"] == "rmse" and best["value"] == min(errors) and best["epoch"] == 1 + errors.index(min(errors))
    assert (
        "By Pearson correlation the validation rows cannot tell one epoch from another: the best is chosen by root mean squared error."
        in notes.notes
    )
