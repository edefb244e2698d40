"""The starter of text classification: own reading, own network and loss, own metric. ``weitiao new`` writes its own lines in this place."""

from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from weitiao.engine.objectives import Collated
from weitiao.engine.objectives.rows import Classification
from weitiao.engine.own_network import OwnNetwork
from weitiao.tasks.base import Head
from weitiao.tasks.text_classification import TextClassification


class MyNetwork(OwnNetwork):
    """The model: a pretrained encoder (``--model``) in ``self.base``, and on it whatever you like."""

    def __init__(self, base: Any) -> None:
        super().__init__(base)
        self.dropout = nn.Dropout(0.1)
        # ``config`` holds what ``MyTask.model_config`` gives: the labels here.
        self.classifier = nn.Linear(base.config.hidden_size, base.config.num_labels)

    def forward(self, **inputs: torch.Tensor) -> SequenceClassifierOutput:
        """input_ids, attention_mask, ..., each (rows, length) -> logits, (rows, labels)."""
        states = self.base(**inputs).last_hidden_state  # (rows, length, width)
        real = inputs["attention_mask"][..., None].to(states.dtype)  # (rows, length, 1): padding is nobody's text
        pooled = (states * real).sum(dim=1) / real.sum(dim=1)  # (rows, width), the mean over each text
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(pooled)))


class MyLoss(Classification):
    """How it learns: the loss of a batch, summed over its rows. weitiao divides by their number, over the whole step."""

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Cross-entropy of logits (rows, labels) against labels (rows,), as the built-in task has it. Write yours here."""
        logits, labels = outputs.logits.float(), batch.targets["labels"]
        return nn.functional.cross_entropy(logits, labels, reduction="sum")


class MyTask(TextClassification):
    """What goes in, what comes out, and how it is judged. Whatever you leave out is as in TextClassification."""

    name = "my-task"
    summary = "One label for a text, in a way of my own."

    def prepare(self, record: dict[str, Any]) -> dict[str, Any]:
        """Your own reading: one row as {"text", "pair", "label"} -> the same, as the model is to see it. In training and in use alike."""
        return {**record, "text": " ".join(record["text"].split())}  # line breaks and runs of blanks become one blank

    def head(self, spec: dict[str, Any]) -> Head:
        """Which network, and how it learns."""
        if spec.get("multi_label"):  # rows with several labels: as the built-in task does it
            return super().head(spec)
        return Head((MyNetwork,), MyLoss)

    def score(self, predictions: Any, records: Any, spec: dict[str, Any]) -> dict[str, Any]:
        """Your own metric beside the usual ones: the recall of the label that fares worst. Plain numbers, by name.

        To choose the best checkpoint by it: from weitiao.tasks.base import Headline; headline = Headline("worst_recall", "max")
        """
        scores = super().score(predictions, records, spec)
        scores["metrics"]["worst_recall"] = min(row["recall"] for row in scores["per_class"] if row["support"])
        return scores


task = MyTask()
