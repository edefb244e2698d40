"""Text classification: a text in, one of a closed set of labels out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from weitiao.baselines import majority_class, tfidf_logistic_regression
from weitiao.data.language import has_spaces
from weitiao.data.records import Records
from weitiao.errors import DataError, ModelError
from weitiao.fields import Field
from weitiao.messages import N_, _
from weitiao.metrics import classification_scores
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

TEXT_HINTS = (
    *("text", "sentence", "content", "review", "comment", "tweet", "message", "body", "query", "question", "title"),
    *("文本", "评论", "内容", "正文", "句子", "评价", "留言", "消息", "问题", "标题", "文字"),
)
LABEL_HINTS = (
    *("label", "labels", "target", "class", "category", "sentiment", "intent", "tag", "topic", "y"),
    *("标签", "类别", "分类", "情感", "类型", "意图", "主题", "目标"),
)


class TextClassification(Task):
    """One label for a text, with the probability of every label."""

    name = "text-classification"
    aliases = ("sentiment-analysis",)
    summary = N_("One label for a text: sentiment, topic, intent, spam.")
    inputs = (Field("text", "text", N_("Text"), flag="text", hints=TEXT_HINTS),)
    outputs = (Field("label", "choice", N_("Label"), flag="label", hints=LABEL_HINTS),)
    headline = Headline("f1_macro", "max")
    example: ClassVar[Record] = {"text": "The parcel arrived broken and nobody answers the phone.", "label": "complaint"}

    def head(self, spec: Spec) -> Head:
        """One logit a label."""
        return Head(("AutoModelForSequenceClassification",), "classification")

    def learn(self, records: Records, settings: Any) -> Spec:
        """The labels in a fixed order: by number where all are whole numbers, else by text."""
        counts = Counter(records.columns["label"])
        labels = sorted(counts, key=_label_order(counts))
        if len(labels) < 2:
            message = _(
                '{file}: all {rows} training rows have the same label "{label}", so there is nothing to tell apart. Add rows of another'
            )
            message = (message + " " + _("class, or check --label.")).format(file=records.source, rows=len(records), label="".join(labels))
            raise DataError(message, file=records.source, column="label")
        return {"labels": labels}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The labels as the model's own config lists them."""
        names = model_config.get("id2label") or {}
        if len(names) < 2:
            raise ModelError(
                _("This model's config lists no labels (id2label), so it cannot classify. Fine-tune it first: weitiao train DATA.")
            )
        return {"labels": [names[key] for key in sorted(names, key=int)]}

    def model_config(self, spec: Spec) -> dict[str, Any]:
        """Labels by index and back, so that ``pipeline("text-classification")`` gives ours."""
        labels = spec["labels"]
        return {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
            "problem_type": "single_label_classification",
        }

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """One Features a text; its target is the label's index. Raises DataError for a label that was not learned."""
        features = processor.text(record["text"], max_length=max_length)
        if for_training:
            if record["label"] not in spec["labels"]:
                raise DataError(_('The label "{label}" was not in the training data.').format(label=record["label"]), column="label")
            features.target = spec["labels"].index(record["label"])
        return [features]

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """Softmax over the logits, (labels,): the likeliest label, its probability, and every label's."""
        logits = outputs[0]["logits"].astype(np.float64)  # (labels,)
        exponents = np.exp(logits - logits.max())
        probabilities = exponents / exponents.sum()
        best = int(probabilities.argmax())
        return {
            "label": spec["labels"][best],
            "score": float(probabilities[best]),
            "probabilities": dict(zip(spec["labels"], probabilities.tolist(), strict=True)),
        }

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The label, its probability, and every label's."""
        return {"label": "text", "score": "number", **dict.fromkeys((f"probability_{label}" for label in spec["labels"]), "number")}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        probabilities = {f"probability_{label}": value for label, value in prediction["probabilities"].items()}
        return {"label": prediction["label"], "score": prediction["score"], **probabilities}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Every figure of ``metrics.classification_scores``."""
        return classification_scores(records.columns["label"], predictions, spec["labels"])

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """The most frequent label always, and a linear model over TF-IDF."""
        texts, labels = train.columns["text"], train.columns["label"]
        return {
            "majority": majority_class(labels, len(test), spec["labels"]),
            "tfidf_logistic_regression": tfidf_logistic_regression(
                texts, labels, test.columns["text"], spec["labels"], spaces=has_spaces(texts)
            ),
        }


def _label_order(labels: Iterable[str]) -> Any:
    try:
        order = {label: (int(label), label) for label in labels}
    except ValueError:
        return str
    return order.__getitem__


task = TextClassification()
