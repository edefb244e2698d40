"""The data and what is made of it: the task. What a message looks like to the model, which network and loss it is for, and what a mistake
costs. Everything that is not said here is as in text classification.
"""

import re
from collections.abc import Sequence
from typing import Any

from weitiao.data.records import Records
from weitiao.tasks.base import Head, Headline, Prediction, Spec
from weitiao.tasks.text_classification import TextClassification

from .model import FocalLoss, MeanMaxNetwork

NUMBER = re.compile(r"\d[\d.,:/-]*")
MINUTES = 10.0  # that are lost when a message goes to the wrong team
SURE, LATE = 0.9, 3.0  # a model that was sure of it: nobody looks twice, and three times as many are lost


class Messages(TextClassification):
    """Which team a customer's message goes to."""

    name = "messages"
    summary = "Which team a message to the shop goes to."
    headline = Headline("minutes_lost", "min")  # the best checkpoint is the one that costs least

    def prepare(self, record: dict[str, Any]) -> dict[str, Any]:
        """Own data handling: order numbers, amounts and dates become one sign, since a model would only learn them by heart.

        Runs for every row in training, in evaluation and in use.
        """
        return {**record, "text": NUMBER.sub("#", record["text"]).strip()}

    def head(self, spec: Spec) -> Head:
        """Own network, own loss: both in model.py."""
        return Head((MeanMaxNetwork,), FocalLoss)

    def model_config(self, spec: Spec) -> dict[str, Any]:
        """What the network finds in ``self.config``, and what comes back with the saved model."""
        return {**super().model_config(spec), "mlp_width": 128}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """The usual figures and an own one: minutes lost a message."""
        scores = super().score(predictions, records, spec)
        wrong = [p for p, label in zip(predictions, records.columns["label"], strict=True) if p["label"] != label]
        lost = sum(MINUTES * (LATE if prediction["score"] > SURE else 1.0) for prediction in wrong)
        scores["metrics"]["minutes_lost"] = lost / len(predictions)
        return scores


task = Messages()
