"""Zero-shot classification: a text and labels that are named when it is asked; which of them fits, without any training.

A model of natural language inference is asked whether the text entails "This example is LABEL."; of any other model the vectors of text and
sentence are compared. Which of the two it was stands in the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from weitiao.config import TaskSettings, setting
from weitiao.data.language import SCRIPT_RANGES, language_of
from weitiao.data.records import Records
from weitiao.data.text_pairs import TEXT
from weitiao.errors import UsageError
from weitiao.fields import Field
from weitiao.labels import flat_label, label_columns, likeliest, softmax
from weitiao.messages import N_, _
from weitiao.metrics import classification_scores
from weitiao.metrics.vectors import cosines
from weitiao.pooling import pooling_of
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

ENGLISH, CHINESE = "This example is {}.", "这段话的主题是{}。"
HOLE = "{}"
SCALE = 20.0  # what cosines are multiplied with before the softmax, as in contrastive training
ENTAILED, CONTRADICTED = ("entail", "蕴含"), ("contra", "not_entail", "not entail", "non-entail", "矛盾")


@dataclass(frozen=True)
class ZeroShotSettings(TaskSettings):
    """What there is to choose from, and how it is asked."""

    labels: tuple[str, ...] = setting((), N_("Labels to choose from, such as sport,politics,weather."))
    template: str = setting("", N_("Sentence that says a label, which stands where {} is (by the text's language)."))
    multi_label: bool = setting(False, N_("Judge every label by itself: several may fit, or none."))


class ZeroShotClassification(Task):
    """Which of the labels named for it fits a text."""

    name = "zero-shot-classification"
    aliases = ("zero-shot",)
    summary = N_("Which of the labels you name fits a text, without any training.")
    inputs = (replace(TEXT, second=""),)
    outputs = (Field("label", "choice", N_("Label"), flag="label", hints=("label", "category", "class", "topic", "标签", "类别", "分类")),)
    settings = ZeroShotSettings
    headline = Headline("accuracy", "max")
    hub_tag = "zero-shot-classification"
    trainable = False
    example: ClassVar[Record] = {"text": N_("The striker scored twice in the second half."), "label": "sport"}

    def head(self, spec: Spec) -> Head:
        """The model's own, where it is one of inference; else none, for the vectors."""
        if spec["method"] == "nli":
            return Head(("AutoModelForSequenceClassification",), "classification")
        return Head(("AutoModelForTextEncoding", "AutoModel"), "contrastive")

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The labels, and what the model can be asked: "nli" where one of its own labels says that a text entails another.

        Raises UsageError where no labels are given, or the template has no place for one.
        """
        labels = list(dict.fromkeys(settings.labels))
        if not labels:
            raise UsageError(_("There is nothing to choose from. Name the labels: --labels sport,politics,weather"))
        if settings.template and settings.template.count(HOLE) != 1:
            message = _('--template is "{template}"; it must have {hole} once, where the label goes, such as "{example}".')
            raise UsageError(message.format(template=settings.template, hole=HOLE, example=ENGLISH))
        asked = {"labels": labels, "template": settings.template, "multi_label": settings.multi_label}
        names = {int(number): str(name).lower() for number, name in (model_config.get("id2label") or {}).items()}
        entailed = [number for number, name in names.items() if name.startswith(ENTAILED)]
        if len(entailed) != 1 or len(names) not in (2, 3):
            return {**asked, "method": "similarity", **pooling_of(model_config)}
        others = [number for number in names if number != entailed[0]]
        contradicted = [number for number in others if names[number].startswith(CONTRADICTED)]
        # Of three labels with strange names, as transformers has it: the one at the other end.
        opposite = contradicted[0] if contradicted else (max if entailed[0] == min(names) else min)(others)
        return {**asked, "method": "nli", "entailed": entailed[0], "contradicted": opposite}

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """The text with each label's sentence as its pair, one Features a label; for vectors the text first, then the sentences."""
        template = spec["template"] or (CHINESE if language_of([record["text"]]) == "zh" else ENGLISH)
        sentences = [template.replace(HOLE, label) for label in spec["labels"]]
        if spec["method"] == "nli":
            return [processor.text(record["text"], sentence, max_length=max_length) for sentence in sentences]
        longest = min(max_length, spec.get("longest", max_length))
        return [processor.text(text, max_length=longest) for text in (record["text"], *sentences)]

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """{"label", "score", "probabilities": {label: probability}, "method": "nli" or "similarity"} and, with ``multi_label``, "labels":
        those with a probability of at least a half.

        From inference, a softmax over the labels' logits of entailment; with ``multi_label``, or a single label, of entailment against
        contradiction for each. From vectors, a softmax over cosines times 20; with ``multi_label`` the cosines, where they are above 0.
        """
        alone = spec["multi_label"] or len(spec["labels"]) == 1
        if spec["method"] == "nli":
            logits = np.stack([output["logits"] for output in outputs]).astype(np.float64)  # (labels, 2 or 3)
            if alone:
                probabilities = softmax(logits[:, [spec["contradicted"], spec["entailed"]]])[:, 1]
            else:
                probabilities = softmax(logits[:, spec["entailed"]])
        else:
            vectors = np.stack([output["vector"] for output in outputs])  # (1 + labels, width)
            near = cosines(np.repeat(vectors[:1], len(vectors) - 1, axis=0), vectors[1:])
            probabilities = near.clip(0, 1) if alone else softmax(SCALE * near)
        answer = likeliest(spec["labels"], probabilities)
        if spec["multi_label"]:
            answer["labels"] = [label for label, value in answer["probabilities"].items() if value >= 0.5]
        return {**answer, "method": spec["method"]}

    def in_browser(self, spec: Spec) -> dict[str, Any]:
        """A sentence for each label, which visitors may change, and what inference or nearness says of them."""
        encode: dict[str, Any] = {"kind": "sentences", "labels": spec["labels"], "template": spec["template"], "hole": HOLE}
        encode |= {"chinese": CHINESE, "english": ENGLISH, "scripts": SCRIPT_RANGES, "longest": spec.get("longest")}
        decode: dict[str, Any] = {"labels": spec["labels"], "multi_label": spec["multi_label"], "method": spec["method"]}
        if spec["method"] == "nli":
            decode |= {"kind": "entailment", "entailed": spec["entailed"], "contradicted": spec["contradicted"]}
        else:
            decode |= {"kind": "nearness", "scale": SCALE}
        return {"encode": {**encode, "paired": spec["method"] == "nli"}, "decode": decode, "asked": {"labels": spec["labels"]}}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The label, its probability, and every label's."""
        return label_columns(spec["labels"])

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        return flat_label(prediction)

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Every figure of ``metrics.classification_scores``, of the likeliest label."""
        scores = classification_scores(records.columns["label"], predictions, spec["labels"])
        if spec["multi_label"]:
            # Each label's probability stands for itself, so these are no figures of a choice among them.
            for name in ("log_loss", "ece"):
                scores["metrics"].pop(name, None)
            scores.pop("calibration", None)
        return {**scores, "method": spec["method"]}


task = ZeroShotClassification()
