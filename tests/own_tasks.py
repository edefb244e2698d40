"""Task files to test with: a plain one, and one with everything of its own in two files."""

from pathlib import Path

from tests.conftest import sentences

ROWS = [(text, label) for text, label in sentences(80)]
QUICK = {"epochs": 1, "batch_size": 16, "lr": 3e-3, "max_length": 32, "threads": 1}

PLAIN = """
from weitiao.tasks.text_classification import TextClassification

class Mine(TextClassification):
    name = "mine"
    summary = "A label."

task = Mine()
"""

NETWORK = """
import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from weitiao.engine.objectives.rows import Classification
from weitiao.engine.own_network import OwnNetwork


class Network(OwnNetwork):
    def __init__(self, base):
        super().__init__(base)
        width, inner = base.config.hidden_size, base.config.mlp_width
        self.mlp = nn.Sequential(nn.Linear(2 * width, inner), nn.GELU(), nn.Linear(inner, base.config.num_labels))

    def forward(self, **inputs):
        states = self.base(**inputs).last_hidden_state
        real = inputs["attention_mask"][..., None].bool()
        mean = (states * real).sum(1) / real.sum(1)
        largest = states.masked_fill(~real, float("-inf")).amax(1)
        return SequenceClassifierOutput(logits=self.mlp(torch.cat([mean, largest], -1)))


class Loss(Classification):
    calls = 0

    def loss(self, outputs, batch):
        Loss.calls += 1
        return super().loss(outputs, batch) * 2
"""

WHOLE = """
from dataclasses import dataclass

from weitiao.config import TaskSettings, setting
from weitiao.tasks.base import Head, Headline
from weitiao.tasks.text_classification import Settings as Theirs, TextClassification

from .network import Loss, Network


@dataclass(frozen=True)
class Settings(Theirs):
    shout: bool = setting(False, "Upper case.")
    width: int = setting(16, "Numbers between the layers.", low=1, high=999)


class Whole(TextClassification):
    name = "whole"
    summary = "Own reading, network, loss and metric."
    settings = Settings
    headline = Headline("worst_recall", "max")

    def prepare(self, record):
        return {**record, "text": record["text"].replace("lovely", "great")}

    def learn(self, records, settings):
        return {**super().learn(records, settings), "width": settings.width}

    def spec_from(self, model_config, settings):
        return {**super().spec_from(model_config, settings), "width": model_config["mlp_width"]}

    def head(self, spec):
        return Head((Network,), Loss)

    def model_config(self, spec):
        return {**super().model_config(spec), "mlp_width": spec["width"]}

    def score(self, predictions, records, spec):
        scores = super().score(predictions, records, spec)
        import numpy as np
        scores["metrics"]["worst_recall"] = np.float32(min(row["recall"] for row in scores["per_class"] if row["support"]))
        return scores


task = Whole()
"""


def written(folder: Path, text: str = PLAIN, name: str = "mine.py", **beside: str) -> str:
    """A task file, and files beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    for other, content in beside.items():
        (folder / f"{other}.py").write_text(content, encoding="utf-8")
    return str(folder / name)
