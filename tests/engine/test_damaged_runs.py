"""A finished run that is no longer whole is refused: a head at random would answer as if nothing were amiss."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import weitiao
from tests.conftest import make_model, sentences, write_csv
from weitiao.engine.model_folder import CLASSIFIER, verify_folder
from weitiao.errors import ModelError

Train = Callable[..., weitiao.Run]


def without(file: Path, part: str) -> None:
    save_file({name: tensor for name, tensor in load_file(file).items() if part not in name}, file, metadata={"format": "pt"})


@pytest.mark.parametrize("damage", ["weights", "labels", "inside"])
def test_a_run_without_the_weights_of_its_head_is_refused(damage: str, train_tiny: Train) -> None:
    model = train_tiny(epochs=1).folder.model
    if damage == "labels":
        config = json.loads((model / "config.json").read_text())
        config |= {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
        (model / "config.json").write_text(json.dumps(config))
    else:
        without(model / "model.safetensors", "classifier." if damage == "weights" else "layer.1.output")
    with pytest.raises(ModelError, match=r"does not hold what was trained: .*(classifier|layer\.1).* Copy the whole run") as caught:
        weitiao.load(model.parent).predict(["a lovely day"])
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("part", ["classifier", "lora_A"])
def test_an_adapter_without_a_part_of_it_is_refused(part: str, train_tiny: Train) -> None:
    model = train_tiny(epochs=1, method="lora").folder.model
    without(model / "adapter_model.safetensors", part)
    with pytest.raises(ModelError, match=f"(does not hold what was trained|does not fit its base model): .*{part}"):
        weitiao.load(model.parent).predict(["a lovely day"])


NETWORK = """
import dataclasses
import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput
from weitiao.engine.own_network import OwnNetwork
from weitiao.tasks.base import Head
from weitiao.tasks.text_classification import TextClassification


class Net(OwnNetwork):
    def __init__(self, base):
        super().__init__(base)
        self.head = nn.Linear(base.config.hidden_size, base.config.num_labels)

    def forward(self, **inputs):
        return SequenceClassifierOutput(logits=self.head(self.base(**inputs).last_hidden_state[:, 0]))


class Own(TextClassification):
    name = "own"
    aliases = ()

    def head(self, spec):
        return Head((Net,), "classification")


task = Own()
"""


def test_the_layers_of_an_own_network_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(NETWORK)
    data = write_csv(tmp_path / "d.csv", list(sentences(60)))
    quick: dict[str, Any] = {"epochs": 1, "batch_size": 16, "max_length": 32, "threads": 1}
    run = weitiao.train(str(data), task=str(tmp_path / "own.py"), model=str(make_model(tmp_path / "m")), out=str(tmp_path / "run"), **quick)
    assert run.predict(["a lovely day"])
    (run.folder.model / "own_layers.safetensors").unlink()
    with pytest.raises(ModelError, match=r"has no own_layers\.safetensors: weights of its head are missing"):
        weitiao.load(run.path).predict(["a lovely day"])


def test_what_lies_beside_the_weights_is_read_as_they_are(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match=f"has no {CLASSIFIER}"):
        verify_folder(tiny_model, beside=[CLASSIFIER])
    (tiny_model / CLASSIFIER).write_bytes((tiny_model / "model.safetensors").read_bytes()[:-5])
    with pytest.raises(ModelError, match=f"{CLASSIFIER} is cut short"):
        verify_folder(tiny_model, beside=[CLASSIFIER])
