"""Regression: a text, or a pair of texts, in; a number out: a rating, a price, how alike two sentences are.

Targets are standardised for training, so that one learning rate suits stars and house prices alike, and answers are given in their own
unit again. The model folder knows nothing of that: plain transformers gives (value - mean) / std, and the run's spec holds both numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from weitiao.data.language import has_spaces
from weitiao.data.records import Records
from weitiao.data.text_pairs import PAIR, TEXT, has_pairs, inputs_of, texts_of
from weitiao.errors import DataError, ModelError
from weitiao.fields import Field
from weitiao.messages import N_, _
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

VALUE_HINTS = (
    *("score", "rating", "stars", "value", "target", "label", "similarity", "price", "y"),
    *("分数", "评分", "得分", "星级", "数值", "目标", "相似度"),
)


class Regression(Task):
    """A number for a text or a pair of texts."""

    name = "regression"
    aliases = ("text-regression", "semantic-similarity")
    summary = N_("A number for a text or a pair of texts: a rating, a price, how alike they are.")
    inputs = (TEXT, PAIR)
    outputs = (Field("value", "number", N_("Number"), flag="label", hints=VALUE_HINTS),)
    headline = Headline("pearson", "max")
    hub_tag = "text-classification"
    example: ClassVar[Record] = {"text": N_("A warm and quiet room, but the breakfast was cold."), "value": 3.5}

    def head(self, spec: Spec) -> Head:
        """One logit: the standardised number."""
        return Head(("AutoModelForSequenceClassification",), "regression")

    def selected_on(self, spec: Spec, records: Records) -> Headline:
        """Nothing goes together with what is always the same number, but answers can be near it or far from it."""
        return self.headline if len(set(records.columns["value"])) > 1 else Headline("rmse", "min")

    def learn(self, records: Records, settings: Any) -> Spec:
        """Mean and standard deviation of the training numbers, and whether there are pairs."""
        values = np.asarray(records.columns["value"], dtype=np.float64)
        if values.min() == values.max():
            message = _("{file}: all {rows} training rows have the same number, {value:g}, so there is nothing to learn. Check --label.")
            raise DataError(message.format(file=records.source, rows=len(records), value=values[0]), file=records.source, column="value")
        largest = float(np.abs(values).max())
        # Scaled first: the square of a number near the end of float64 is none.
        std = float((values / largest).std()) * largest
        return {"mean": float((values / largest).mean()) * largest, "std": std or 1.0, "pair": has_pairs(records)}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The model's own numbers, as they come."""
        if len(model_config.get("id2label") or {}) != 1:
            raise ModelError(_("This model's head does not give one number."))
        return {"mean": 0.0, "std": 1.0}

    def model_config(self, spec: Spec) -> dict[str, Any]:
        """One output and its meaning."""
        return {"num_labels": 1, "id2label": {0: "value"}, "label2id": {"value": 0}, "problem_type": "regression"}

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """One Features a text or pair; its target is the standardised number."""
        text, second = texts_of(record, spec.get("pair"))
        features = processor.text(text, second, max_length=max_length)
        if for_training:
            features.target = (record["value"] - spec["mean"]) / spec["std"]
        return [features]

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """The logit, (1,), in the number's own unit."""
        return {"value": float(outputs[0]["logits"][0]) * spec["std"] + spec["mean"]}

    def in_browser(self, spec: Spec) -> dict[str, Any]:
        """The text or pair, and a number in its own unit."""
        number = {"kind": "number", "mean": spec["mean"], "std": spec["std"]}
        return {"encode": {"kind": "text", "pair": spec.get("pair")}, "decode": number}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The number."""
        return {"value": "number"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        return dict(prediction)

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Every figure of ``metrics.regression_scores``."""
        from weitiao.metrics import regression_scores

        return regression_scores(records.columns["value"], [prediction["value"] for prediction in predictions])

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """The mean always, and a linear model over TF-IDF."""
        from weitiao.baselines import mean_value, tfidf_ridge

        values, spaces = train.columns["value"], has_spaces(train.columns["text"])
        return {
            "mean": mean_value(values, len(test)),
            "tfidf_ridge": tfidf_ridge(inputs_of(train), values, inputs_of(test), spaces=spaces),
        }


task = Regression()
