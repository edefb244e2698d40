"""Labels named when it is asked: as transformers' pipeline answers for models of inference, by vectors for any other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from tests.conftest import make_model, write_csv
from weitiao import tasks
from weitiao.errors import UsageError
from weitiao.processing import Features

TASK = tasks.get("zero-shot")
TEXTS = ["the room was lovely and warm", "so late and rude , it was dark"]
LABELS = ["lovely", "rude", "late"]
THREE = {"contradiction": 0, "neutral": 1, "entailment": 2}
TWO = {"ENTAILMENT": 0, "not_entailment": 1}


def inference_model(folder: Path, labels: dict[str, int]) -> Path:
    """A tiny random model that says whether one text entails another."""
    import torch
    import transformers

    make_model(folder)
    config = transformers.AutoConfig.from_pretrained(folder, label2id=labels, id2label={i: name for name, i in labels.items()})
    torch.manual_seed(1)
    network = transformers.AutoModelForSequenceClassification.from_config(config)
    network.classifier.weight.data *= 30
    network.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("labels", [THREE, TWO], ids=["three-way", "two-way"])
@pytest.mark.parametrize("multi_label", [False, True])
def test_it_answers_as_the_pipeline_of_transformers(labels: dict[str, int], multi_label: bool, tmp_path: Path) -> None:
    import transformers

    model = inference_model(tmp_path / "nli", labels)
    pipe = transformers.pipeline("zero-shot-classification", model=str(model), device="cpu")
    expected = pipe(TEXTS, LABELS, hypothesis_template="it was {} .", multi_label=multi_label)
    loaded = weitiao.load(model, task="zero-shot", labels=LABELS, template="it was {} .", multi_label=multi_label)
    for answer, theirs in zip(loaded.predict(TEXTS), expected, strict=True):
        assert answer["method"] == "nli"
        assert answer["label"] == theirs["labels"][0]
        for label, score in zip(theirs["labels"], theirs["scores"], strict=True):
            assert answer["probabilities"][label] == pytest.approx(score, abs=1e-5)


def test_any_other_model_compares_vectors(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m")
    loaded = weitiao.load(model, task="zero-shot", labels=LABELS, template="{}")
    vectors = weitiao.load(model, task="embeddings").predict(["lovely", *LABELS])
    answer = loaded.predict(["lovely"])[0]
    assert (answer["method"], answer["label"]) == ("similarity", "lovely")
    near = np.array([np.dot(vectors[0]["vector"], one["vector"]) for one in vectors[1:]])
    expected = np.exp(20 * near) / np.exp(20 * near).sum()
    np.testing.assert_allclose(list(answer["probabilities"].values()), expected, atol=1e-5)
    several = weitiao.load(model, task="zero-shot", labels=LABELS, template="{}", multi_label=True).predict(["lovely"])[0]
    assert "lovely" in several["labels"] and several["probabilities"]["lovely"] == pytest.approx(1.0, abs=1e-5)


def test_a_labelled_file_is_scored(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", [(TEXTS[0], "lovely"), (TEXTS[1], "rude"), ("cold", "cold"), ("late", "late")] * 3)
    loaded = weitiao.load(inference_model(tmp_path / "nli", THREE), task="zero-shot", labels=LABELS)
    evaluation = loaded.evaluate(str(data))
    assert evaluation["headline"] == "accuracy" and evaluation["method"] == "nli"
    assert {row["label"] for row in evaluation["per_class"]} == {*LABELS, "cold"}


def spec(config: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return TASK.spec_from(config, tasks.recipe({"task": TASK.name, "labels": LABELS, **settings}).task)


def config(*names: str) -> dict[str, Any]:
    return {"id2label": {str(number): name for number, name in enumerate(names)}}


def test_which_model_is_one_of_inference() -> None:
    assert spec(config("entailment", "neutral", "contradiction"))["contradicted"] == 2
    assert spec(config("CONTRADICTION", "ENTAILMENT", "NEUTRAL"))["contradicted"] == 0
    assert spec(config("not_entailment", "entailment"))["entailed"] == 1
    assert spec(config("蕴含", "中性", "矛盾"))["entailed"] == 0
    assert spec(config("LABEL_0", "LABEL_1"))["method"] == "similarity"
    assert spec({})["pooling"] == "mean"


def test_bad_settings_say_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--labels"):
        spec({}, labels=())
    with pytest.raises(UsageError, match="--template"):
        spec({}, template="no place")
    with pytest.raises(UsageError, match="nothing to train"):
        weitiao.train("any.csv", task="zero-shot", model=str(make_model(tmp_path / "m")), out=str(tmp_path / "run"), labels=LABELS)


class Pairs:
    """A processor that remembers what it was given."""

    def text(self, a: str, b: str | None = None, *, max_length: int) -> Features:
        return Features({"input_ids": [1]}, notes={"texts": (a, b)})


def test_a_chinese_text_is_asked_in_chinese() -> None:
    asked = spec(config("entailment", "neutral", "contradiction"), labels="体育,政治")
    pairs = [f.notes["texts"] for f in TASK.encode({"text": "他踢进了两个球。"}, Pairs(), asked, max_length=9, for_training=False)]
    assert pairs == [("他踢进了两个球。", "这段话的主题是体育。"), ("他踢进了两个球。", "这段话的主题是政治。")]
    pairs = [f.notes["texts"][1] for f in TASK.encode({"text": "He scored."}, Pairs(), asked, max_length=9, for_training=False)]
    assert pairs[0] == "This example is 体育."
