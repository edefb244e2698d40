"""The Task protocol: three stages and what surrounds them. A task is one file in this folder, written in plain Python and numpy.

    record ──encode──▶ features ──forward──▶ outputs ──decode──▶ prediction

A task knows its own meaning. It does not know how weights move (``engine``), what a run folder looks like (``runs``), any outlet
(``report``, ``deploy``) or its sibling tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from weitiao.data.records import Records
from weitiao.fields import Field
from weitiao.processing import Features, Processor

Record = Mapping[str, Any]
Prediction = dict[str, Any]
Spec = dict[str, Any]
Outputs = Mapping[str, np.ndarray]


class Headline(NamedTuple):
    """The metric that picks the best checkpoint, and which way is better."""

    metric: str
    direction: Literal["max", "min"]

    def better(self, value: float, than: float | None) -> bool:
        """Whether ``value`` beats ``than`` (anything beats None; not-a-number beats nothing)."""
        if value != value:
            return False
        return than is None or (value > than if self.direction == "max" else value < than)


class Task:
    """A task: its declaration as class attributes, its meaning as methods. Subclass it in one file and end the file with ``task = Mine()``.

    Attributes:
        name, aliases: "text-classification" and other names people use for it.
        summary: one line in English, marked for translation.
        inputs, outputs: its fields; the column plan, the HTTP schema, the demo's widgets and the card all come from them.
        model_class: a transformers Auto class by name.
        objective: how it learns: an entry of ``engine/objectives.py``.
        answers_by: "logits" or "generate".
        headline: the metric that picks the best checkpoint.
        trainable: False where there is nothing to train.
        example: a record; the contract test, the demo and the card use it.
    """

    name: str
    aliases: tuple[str, ...] = ()
    summary: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    model_class: str
    objective: str
    answers_by: Literal["logits", "generate"] = "logits"
    headline: Headline
    trainable: bool = True
    example: ClassVar[Record]

    def learn(self, records: Records) -> Spec:
        """What must be remembered from the training records, as plain JSON. Raises DataError where nothing can be learned from them."""
        return {}

    def spec_from(self, model_config: Mapping[str, Any]) -> Spec:
        """The same for a pretrained model that is used as it is, from its config."""
        return {}

    def model_config(self, spec: Spec) -> dict[str, Any]:
        """What the model's config must say (``num_labels``, ``id2label``, ...) so that plain transformers reads the model as we do."""
        return {}

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """A record's features: one, or several where the task works in windows. Targets are set when ``for_training``."""
        raise NotImplementedError

    def decode(self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec) -> Prediction:
        """The prediction for a record from all its features and the model's outputs for each: {"logits": (labels,)}, ..."""
        raise NotImplementedError

    def calibrate(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> Spec:
        """The spec with what validation predictions teach (thresholds and the like)."""
        return spec

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """``{"metrics": {name: value}, "intervals": {name: [low, high]}, ...}``; further keys are details that reports know how to draw."""
        raise NotImplementedError

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """Predictions of simple methods on the same split, by name, most trivial first: what a model must beat to be worth anything."""
        return {}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The columns a prediction becomes in a table, in order, with what they hold."""
        raise NotImplementedError

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """A prediction under the names of ``columns``."""
        raise NotImplementedError
