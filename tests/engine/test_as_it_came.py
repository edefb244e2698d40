"""A model that has not learned what it is asked: the error names that very model, and the command that teaches it."""

import json
import re
from pathlib import Path

import pytest

import weitiao
from tests.conftest import make_model
from weitiao.engine import hub, places
from weitiao.errors import ModelError, UsageError

ASKED = {
    "text-classification": "lists no labels",
    "regression": "does not give one number",
    "token-classification": "names no tags",
    "question-answering": "was not trained for question-answering: its head (qa_outputs.bias)",
}


@pytest.mark.parametrize("task", ASKED)
def test_the_advice_names_what_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    monkeypatch.chdir(tmp_path)
    model = make_model(tmp_path / "mine" / "model")
    if task != "question-answering":  # its head has two outputs, whatever they are called
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        (model / "config.json").write_text(json.dumps({**config, "id2label": {}}), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        weitiao.load("mine/model", task=task).predict(["x"], **({"context": "y"} if task == "question-answering" else {}))
    assert caught.value.message.startswith("mine/model") and ASKED[task] in caught.value.message
    assert f" Fine-tune it first: weitiao train DATA --task {task} --model mine/model; or " in caught.value.message


def test_no_model_is_sent_to_a_training_that_it_cannot_do(tmp_path: Path) -> None:
    from weitiao.sample import PICTURE

    model = make_model(tmp_path / "m")
    with pytest.raises(
        ModelError, match=r"cannot classify. Choose a model of another kind, which can: weitiao models --task image-text-cl"
    ):
        weitiao.load(model, task="image-text-classification").predict(["x"], image=str(PICTURE))


@pytest.mark.parametrize(("task", "blank"), [("text-generation", "llama"), ("summarization", "t5"), ("translation", "t5")])
def test_the_packaged_base_writes_nothing_and_what_does_is_named(task: str, blank: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        weitiao.load("offline", task=task).predict(["x"])
    told = (
        f"from weitiao models --task {task}, or, without a network, train one .*: weitiao train DATA --task {task} --model blank:{blank}$"
    )
    assert re.search(told, caught.value.message)
    assert "--model, such as" not in caught.value.message
    # Whoever has a model of their own has others at hand.
    with pytest.raises(ModelError, match=f"Choose a model of another kind, which can: weitiao models --task {task}$"):
        weitiao.load(make_model(tmp_path / "m"), task=task).predict(["x"])


def test_a_blank_model_is_for_training_alone() -> None:
    with pytest.raises(UsageError, match=r"only for training.*weitiao train DATA --task ner --model blank:bert,"):
        weitiao.load("blank:bert", task="ner")
    for ask in (hub.fetch, places.find):
        with pytest.raises(UsageError, match=r"only for training.*weitiao train DATA --model blank:bert,"):
            ask("blank:bert")


def test_where_there_is_nothing_to_train_the_whole_command_is_told(tmp_path: Path) -> None:
    told = 'weitiao predict offline "your text" --labels {} --task zero-shot-classification'
    for labels in ("A,B", "sport,weather"):
        given = {} if labels == "A,B" else {"labels": labels}
        with pytest.raises(UsageError, match=told.format(labels)):
            weitiao.train("any.csv", task="zero-shot", model="offline", out=str(tmp_path / "run"), **given)
