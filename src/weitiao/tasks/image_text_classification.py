"""Image and text classification: a picture and a text in, one of a closed set of labels out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from weitiao import sample
from weitiao.data.language import has_spaces
from weitiao.data.records import Records
from weitiao.errors import DataError, ModelError
from weitiao.fields import Field
from weitiao.labels import flat_label, label_columns, label_config, likeliest, ordered, softmax
from weitiao.messages import N_, _
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task


class ImageTextClassification(Task):
    """One label for a picture with a text."""

    name = "image-text-classification"
    aliases = ("multimodal-classification",)
    summary = N_("One label for a picture with a text: does the caption fit, is the post harmful.")
    inputs = (
        Field("text", "text", N_("Text"), flag="text", hints=("text", "caption", "title", "question", "文本", "描述", "标题", "问题")),
        Field("image", "image", N_("Picture"), flag="image", hints=("image", "image_path", "picture", "img", "file", "图片", "图像")),
    )
    outputs = (Field("label", "choice", N_("Label"), flag="label", hints=("label", "target", "class", "answer", "标签", "类别", "答案")),)
    headline = Headline("f1_macro", "max")
    max_length = 64
    example: ClassVar[Record] = {"text": N_("a red circle"), "image": str(sample.PICTURE), "label": "true"}

    def head(self, spec: Spec) -> Head:
        """One logit a label, from both embeddings."""
        return Head(("DualEncoder",), "classification")

    def prepare(self, record: dict[str, Any]) -> dict[str, Any]:
        """Raises DataError for a picture that is not there."""
        if not Path(record["image"]).is_file():
            raise DataError(_("the image {path} does not exist.").format(path=record["image"]), column="image")
        return record

    def learn(self, records: Records, settings: Any) -> Spec:
        """The labels in their fixed order."""
        labels = ordered(records.columns["label"])
        if len(labels) < 2:
            message = _("{file}: at least two different labels are needed, and there is {labels}. Check --label.")
            raise DataError(message.format(file=records.source, labels=_(", ").join(labels) or "-"), file=records.source, column="label")
        return {"labels": labels}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The labels as the model's own config lists them."""
        names = model_config.get("id2label") or {}
        if len(names) < 2:
            raise ModelError(_("This model's config lists no labels (id2label), so it cannot classify."))
        return {"labels": [names[key] for key in sorted(names, key=int)]}

    def model_config(self, spec: Spec) -> dict[str, Any]:
        """Labels by index and back."""
        return label_config(spec["labels"])

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """The text's tokens beside the picture, (3, height, width) once it is read. Raises DataError for a picture that cannot be."""
        features = processor.text(record["text"], max_length=max_length)
        features.arrays = {"pixel_values": processor.image(record["image"])}
        if for_training:
            if record["label"] not in spec["labels"]:
                raise DataError(_('The label "{label}" was not in the training data.').format(label=record["label"]), column="label")
            features.target = spec["labels"].index(record["label"])
        return [features]

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """Softmax over the logits, (labels,)."""
        return likeliest(spec["labels"], softmax(outputs[0]["logits"].astype(np.float64)))

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The label, its probability, and every label's."""
        return label_columns(spec["labels"])

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        return flat_label(prediction)

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Every figure of ``metrics.classification_scores``."""
        from weitiao.metrics import classification_scores

        return classification_scores(records.columns["label"], predictions, spec["labels"])

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """The most frequent label always, and a linear model that reads the text alone: what the picture adds must show against it."""
        from weitiao.baselines import majority_class, tfidf_logistic_regression

        texts, labels = train.columns["text"], train.columns["label"]
        return {
            "majority": majority_class(labels, len(test), spec["labels"]),
            "tfidf_logistic_regression": tfidf_logistic_regression(
                texts, labels, test.columns["text"], spec["labels"], spaces=has_spaces(texts)
            ),
        }


task = ImageTextClassification()
