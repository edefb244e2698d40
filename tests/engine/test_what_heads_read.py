"""A head is trained alone, or beside an adapter, only where nothing of it is lost without a word."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, BertModel
from transformers.modeling_outputs import SequenceClassifierOutput

from tests.conftest import make_model
from weitiao.config import AdapterSettings
from weitiao.engine import frozen
from weitiao.engine.adapters import add_adapter
from weitiao.engine.devices import Machine
from weitiao.engine.frozen_backbone import FrozenBackbone
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.objectives.rows import Classification
from weitiao.engine.own_network import OwnNetwork
from weitiao.errors import UsageError
from weitiao.processing import Features

MACHINE = Machine("cpu", "fp32", 1)


class Straight(OwnNetwork):
    """Reads the states once."""

    def __init__(self, base: Any) -> None:
        super().__init__(base)
        self.classifier = nn.Linear(base.config.hidden_size, 2)

    def forward(self, **inputs: Any) -> Any:
        return SequenceClassifierOutput(logits=self.classifier(self.base(**inputs).last_hidden_state[:, 0]))


class Weighed(Straight):
    """Reads them twice: for the weights, and for what they weigh."""

    def __init__(self, base: Any) -> None:
        super().__init__(base)
        self.judge = nn.Linear(base.config.hidden_size, 1)

    def forward(self, **inputs: Any) -> Any:
        states = self.base(**inputs).last_hidden_state  # (rows, length, width)
        weights = self.judge(states).masked_fill(inputs["attention_mask"][..., None] == 0, -1e9).softmax(dim=1)
        return SequenceClassifierOutput(logits=self.classifier((weights * states).sum(dim=1)))


class Loose(Straight):
    """Has a weight in no layer."""

    def __init__(self, base: Any) -> None:
        super().__init__(base)
        self.query = nn.Parameter(torch.randn(base.config.hidden_size))

    def forward(self, **inputs: Any) -> Any:
        states = self.base(**inputs).last_hidden_state[:, 0]
        return SequenceClassifierOutput(logits=self.classifier(states * self.query))


class Alike(Straight):
    """Has a layer that is called as layers of the base are."""

    def __init__(self, base: Any) -> None:
        super().__init__(base)
        self.dense = nn.Linear(base.config.hidden_size, 2)

    def forward(self, **inputs: Any) -> Any:
        return SequenceClassifierOutput(logits=self.dense(self.base(**inputs).last_hidden_state[:, 0]))


Load = Callable[[type], LoadedModel]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    make_model(tmp_path / "base", num_hidden_layers=2)
    return lambda network: load_model(tmp_path / "base", (network,), {}, MACHINE)


def examples(loaded: LoadedModel) -> list[list[Features]]:
    rows = [loaded.processor.text(text, max_length=32) for text in ("the lovely day", "awful", "a sad and rude room")]
    for number, row in enumerate(rows):
        row.target = number % 2
    return [[row] for row in rows]


def forward(loaded: LoadedModel) -> tuple[FrozenBackbone, Any]:
    backbone = FrozenBackbone(loaded, Classification())
    backbone.train()
    rows = examples(loaded)
    return backbone, backbone.forward(rows, backbone.objective.collate(rows, loaded.padding))


def test_a_head_that_reads_the_states_twice_is_not_trained_on_zeros(load: Load) -> None:
    forward(load(Straight))
    with pytest.raises(UsageError, match="Weighed does more with them"):
        forward(load(Weighed))


def test_a_pooler_that_starts_at_random_is_not_left_so(tmp_path: Path) -> None:
    make_model(tmp_path / "base", num_hidden_layers=1)
    BertModel(BertConfig.from_pretrained(tmp_path / "base"), add_pooling_layer=False).save_pretrained(tmp_path / "base")
    loaded = load_model(tmp_path / "base", ("AutoModelForSequenceClassification",), {"num_labels": 2}, MACHINE)
    with pytest.raises(UsageError, match="reads the pooler of bert"):
        forward(loaded)
    with_pooler = BertForSequenceClassification(BertConfig.from_pretrained(tmp_path / "base"))
    with_pooler.bert.save_pretrained(tmp_path / "base")
    forward(load_model(tmp_path / "base", ("AutoModelForSequenceClassification",), {"num_labels": 2}, MACHINE))


def test_a_weight_in_no_layer_is_refused(load: Load) -> None:
    for train in (lambda loaded: add_adapter(loaded, AdapterSettings()), forward):
        with pytest.raises(UsageError, match=r"query starts at random and is in no layer of its own"):
            train(load(Loose))


def test_a_head_called_as_a_part_of_the_base_is_refused(load: Load) -> None:
    with pytest.raises(UsageError, match=r'the layer "dense" whole, and PEFT would train "base\..*dense" of the base'):
        add_adapter(load(Alike), AdapterSettings())


def test_what_finds_no_room_is_computed_again(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(Straight)
    rows = examples(loaded)
    row = loaded.network.config.hidden_size * 4
    monkeypatch.setattr(frozen, "free_memory", lambda device: 2 * row / frozen.ROOM_SHARE)  # two rows of three
    backbone, first = forward(loaded)
    assert backbone.fill(rows) == 2
    assert (len(backbone.kept), backbone.room) == (2, 0)
    assert backbone.to_keep(30) == (0, pytest.approx(2 / 30))
    batch = backbone.objective.collate(rows, loaded.padding)
    calls = SimpleNamespace(count=0)
    real = backbone._run_whole

    def counted(batch: Any) -> Any:
        calls.count += 1
        return real(batch)

    monkeypatch.setattr(backbone, "_run_whole", counted)
    again = backbone.forward(rows, batch)
    assert calls.count == 1 and len(backbone.kept) == 2
    torch.testing.assert_close(again.logits, first.logits, atol=1e-5, rtol=1e-5)
