"""Text classification: a text, or a pair of texts, in; one label out, or several where the examples have lists of them.

Of several, every label is decided for itself: its probability against a threshold that validation rows chose.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from weitiao.config import TaskSettings, setting
from weitiao.data.language import has_spaces
from weitiao.data.records import Records
from weitiao.data.schema import Schema
from weitiao.data.text_pairs import PAIR, TEXT, has_pairs, inputs_of, texts_of
from weitiao.errors import DataError, ModelError
from weitiao.fields import Field
from weitiao.labels import (
    flat_label,
    flat_probabilities,
    label_columns,
    label_config,
    labels_of,
    likeliest,
    ordered,
    probability_columns,
    softmax,
)
from weitiao.messages import N_, _
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

LABEL_HINTS = (
    *("label", "labels", "target", "class", "category", "sentiment", "intent", "tag", "topic", "y"),
    *("标签", "类别", "分类", "情感", "类型", "意图", "主题", "目标"),
)


@dataclass(frozen=True)
class Settings(TaskSettings):
    """What only this task can be told."""

    multi_label: bool = setting(False, N_("Read labels such as a,b as several labels of one text (lists always are; [] is none)."))
    threshold: float = setting(
        0.0, N_("Probability from which one of several labels is given (0 = chosen on the validation rows)."), low=0.0, high=1.0
    )


class TextClassification(Task):
    """One label for a text, or several, with the probability of every label."""

    name = "text-classification"
    aliases = ("sentiment-analysis",)
    summary = N_("One label for a text, or several: sentiment, topic, intent, spam; also for a pair of texts.")
    inputs = (TEXT, PAIR)
    outputs = (Field("label", "choice", N_("Label"), flag="label", hints=LABEL_HINTS, several=True),)
    settings = Settings
    headline = Headline("f1_macro", "max")
    hub_tag = "text-classification"
    pipeline = True
    example: ClassVar[Record] = {"text": N_("The parcel arrived broken and nobody answers the phone."), "label": "complaint"}

    def schema(self, settings: Any) -> Schema:
        """Labels are lists where the user said so."""
        schema = super().schema(settings)
        return replace(schema, outputs=[replace(field, type="choices") for field in self.outputs]) if settings.multi_label else schema

    def head(self, spec: Spec) -> Head:
        """One logit a label."""
        return Head(("AutoModelForSequenceClassification",), "multi-label" if spec.get("multi_label") else "classification")

    def judged_by(self, spec: Spec) -> Headline:
        """Of several labels, every decision counts the same."""
        return Headline("f1_micro", "max") if spec.get("multi_label") else self.headline

    def selected_by(self, spec: Spec) -> Headline:
        """While training there is no threshold yet, so several labels are judged by their ranking."""
        return Headline("average_precision_micro", "max") if spec.get("multi_label") else self.headline

    def learn(self, records: Records, settings: Any) -> Spec:
        """The labels in a fixed order: by number where all are whole numbers, else by text; and whether there are pairs."""
        answers = records.columns["label"]
        several = any(isinstance(answer, list) for answer in answers)
        counts = Counter(label for answer in answers for label in labels_of(answer))
        labels = ordered(counts)
        if len(labels) < (1 if several else 2) or (several and min(counts.values()) == len(records)):
            message = _(
                '{file}: all {rows} training rows have the same label "{label}", so there is nothing to tell apart. Add rows of another'
            )
            message = message + " " + _("class, or check --label.")
            raise DataError(
                message.format(file=records.source, rows=len(records), label=_(", ").join(labels)), file=records.source, column="label"
            )
        spec: Spec = {"labels": labels, "pair": has_pairs(records)}
        return self.adjusted(spec | {"multi_label": True, "threshold": 0.5}, self.wishes(settings)) if several else spec

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The labels as the model's own config lists them."""
        names = model_config.get("id2label") or {}
        several = model_config.get("problem_type") == "multi_label_classification"
        if len(names) < (1 if several else 2):
            raise ModelError(_("This model's config lists no labels (id2label), so it cannot classify."))
        spec: Spec = {"labels": [names[key] for key in sorted(names, key=int)]}
        return self.adjusted(spec | {"multi_label": True, "threshold": 0.5}, self.wishes(settings)) if several else spec

    def adjusted(self, spec: Spec, given: Mapping[str, Any]) -> Spec:
        """With the threshold that the user gave."""
        threshold = spec.get("multi_label") and given.get("threshold")
        return {**spec, "threshold": threshold, "decision": {"kind": "given"}} if threshold else spec

    def model_config(self, spec: Spec) -> dict[str, Any]:
        """Labels by index and back, so that ``pipeline("text-classification")`` gives ours."""
        problem = "multi_label_classification" if spec.get("multi_label") else "single_label_classification"
        return {**label_config(spec["labels"]), "problem_type": problem}

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """One Features a text or pair. Its target is the label's index; of several labels, 0 or 1 for each. Raises DataError for a label
        that was not learned.
        """
        text, second = texts_of(record, spec.get("pair"))
        features = processor.text(text, second, max_length=max_length)
        if for_training:
            given = labels_of(record["label"])
            unknown = [label for label in given if label not in spec["labels"]]
            if unknown:
                raise DataError(_('The label "{label}" was not in the training data.').format(label=unknown[0]), column="label")
            several = spec.get("multi_label")
            features.target = [int(label in given) for label in spec["labels"]] if several else spec["labels"].index(given[0])
        return [features]

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """The likeliest label, its probability, and every label's, by softmax over the logits, (labels,).

        Of several: those whose probability, by the logistic function, reaches the threshold, likeliest first, and every label's.
        """
        logits = outputs[0]["logits"].astype(np.float64)  # (labels,)
        if spec.get("multi_label"):
            each = np.exp(-np.logaddexp(0.0, -logits))
            given = [int(at) for at in np.argsort(-each, kind="stable") if (each >= spec["threshold"])[at]]
            labels = [spec["labels"][at] for at in given]
            return {"labels": labels, "probabilities": dict(zip(spec["labels"], each.tolist(), strict=True))}
        return likeliest(spec["labels"], softmax(logits))

    def in_browser(self, spec: Spec) -> dict[str, Any]:
        """The text or pair, and softmax or thresholds over its logits."""
        decode = {"kind": "sigmoid", "threshold": spec["threshold"]} if spec.get("multi_label") else {"kind": "softmax"}
        return {"encode": {"kind": "text", "pair": spec.get("pair")}, "decode": {**decode, "labels": spec["labels"]}}

    def calibrate(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> Spec:
        """Of several labels: one threshold or one a label (in the labels' order), whichever decides unseen ones better."""
        if not spec.get("multi_label") or spec.get("decision", {}).get("kind") == "given":
            return spec
        from weitiao.metrics.multi_label import indicator, probability_matrix
        from weitiao.metrics.thresholds import choose_thresholds

        truth = indicator([labels_of(answer) for answer in records.columns["label"]], spec["labels"])
        threshold, decision = choose_thresholds(probability_matrix(predictions, spec["labels"]), truth)
        return {**spec, "threshold": threshold, "decision": decision}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The label and its probability, or the labels as a JSON list; and every label's probability."""
        several = spec.get("multi_label")
        return {"labels": "text", **probability_columns(spec["labels"])} if several else label_columns(spec["labels"])

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        if "labels" not in prediction:
            return flat_label(prediction)
        return {"labels": json.dumps(prediction["labels"], ensure_ascii=False), **flat_probabilities(prediction)}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Every figure of ``metrics.classification_scores``, or of ``metrics.multi_label_scores``."""
        from weitiao.metrics import classification_scores, multi_label_scores

        answers = records.columns["label"]
        if spec.get("multi_label"):
            return multi_label_scores([labels_of(answer) for answer in answers], predictions, spec["labels"])
        return classification_scores(answers, predictions, spec["labels"])

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """The most frequent label or labels always, and a linear model over TF-IDF."""
        from weitiao.baselines import majority_class, most_frequent_labels, tfidf_logistic_regression, tfidf_one_vs_rest

        labels, spaces = spec["labels"], has_spaces(train.columns["text"])
        texts, asked, answers = inputs_of(train), inputs_of(test), train.columns["label"]
        if spec.get("multi_label"):
            several = [labels_of(answer) for answer in answers]
            return {
                "most_frequent_labels": most_frequent_labels(several, len(test), labels),
                "tfidf_one_vs_rest": tfidf_one_vs_rest(texts, several, asked, labels, spaces=spaces),
            }
        return {
            "majority": majority_class(answers, len(test), labels),
            "tfidf_logistic_regression": tfidf_logistic_regression(texts, answers, asked, labels, spaces=spaces),
        }


task = TextClassification()
