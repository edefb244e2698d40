"""The Task protocol: three stages and what surrounds them. A task is one file in this folder, written in plain Python and numpy.

    record ──encode──▶ features ──forward──▶ outputs ──decode──▶ prediction

A task knows its own meaning. It does not know how weights move (``engine``), what a run folder looks like (``runs``), any outlet
(``report``, ``deploy``) or its sibling tasks.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TextIO

import numpy as np

from weitiao.config import TaskSettings
from weitiao.data.records import Records
from weitiao.data.schema import Schema
from weitiao.data.table import Table
from weitiao.fields import Field
from weitiao.processing import Features, Processor
from weitiao.task_files import TaskFile

Record = Mapping[str, Any]
Prediction = dict[str, Any]
Spec = dict[str, Any]
Outputs = Mapping[str, np.ndarray]


class Headline(NamedTuple):
    """A metric that decides, and which way is better."""

    metric: str
    direction: Literal["max", "min"]

    def better(self, value: float, than: float | None) -> bool:
        """Whether ``value`` beats ``than`` (anything beats None; not-a-number beats nothing)."""
        if value != value:
            return False
        return than is None or (value > than if self.direction == "max" else value < than)


class Remark(NamedTuple):
    """A line for the row ledger, see ``data.ledger.Entry``: dropped, where the row has no features."""

    action: Literal["dropped", "kept"]
    reason: str
    detail: str


class Head(NamedTuple):
    """What sits on the pretrained layers, and how it learns.

    Attributes:
        classes: transformers Auto classes by name, in order of preference: the first that knows the model's family is taken. A task file
            of somebody's own may name a class itself: an ``OwnNetwork``, or any with transformers' ``from_pretrained``.
        objective: an entry of ``engine/objectives``; in a task file of somebody's own also an ``Objective`` class itself.
    """

    classes: tuple[Any, ...]
    objective: Any


class Task:
    """A task: its declaration as class attributes, its meaning as methods. Subclass it in one file and end the file with ``task = Mine()``.

    Attributes:
        name, aliases: "text-classification" and other names people use for it.
        summary: one line in English, marked for translation.
        inputs, outputs: its fields; the column plan, the HTTP schema, the demo's widgets and the card all come from them. The first
            input is what ``predict RUN "..."`` takes; the others are given by their flags.
        settings: a frozen dataclass of ``config.setting`` fields, a subclass of TaskSettings: what only this task can be told.
        endings: file endings that ``read`` takes beside the ordinary ones, such as ".conll".
        answers_by: "logits", or "generate" where the model writes its answer token by token.
        headline: the metric that the task is judged by.
        selection: the metric that picks the best checkpoint; the headline where None. Generating tasks choose by "loss", which needs no
            writing.
        max_length: tokens of a text, where the user says nothing.
        windowed: whether long texts are read in windows, so that nothing of them is cut; see ``in_windows``.
        trainable: False where there is nothing to train.
        finds: whether it finds any number of things in a text, which are each right or wrong by themselves, such as entities.
        translates: whether what it writes is in another language than what it reads: only such a task takes a model that translates.
        hub_tag: what the hub calls the task, "" where it has no name for it.
        pipeline: whether plain transformers offers it, as ``pipeline(hub_tag)``, and answers as we do.
        example: a record; the contract test, the demo and the card use it. Its inputs are marked for translation: it is shown where no row
            of the data may be.
        origin: the file it came from, where it is no task of this folder; set by whoever loads it.
    """

    name: str
    aliases: tuple[str, ...] = ()
    summary: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    settings: type[TaskSettings] = TaskSettings
    endings: tuple[str, ...] = ()
    answers_by: Literal["logits", "generate"] = "logits"
    headline: Headline
    selection: Headline | None = None
    max_length: int = 256
    windowed: bool = False
    trainable: bool = True
    finds: bool = False
    translates: bool = False
    hub_tag: str = ""
    pipeline: bool = False
    example: ClassVar[Record]
    origin: TaskFile | None = None

    def head(self, spec: Spec) -> Head:
        """The head that the spec asks for."""
        raise NotImplementedError

    def read(self, path: Path, open_text: Callable[[], TextIO]) -> Table | None:
        """A file in a format that only this task knows (CoNLL, SQuAD), as a table with the line or entry each row came from.

        None: it is not such a file. ``open_text`` opens it in the right encoding.
        """
        return None

    def reshape(self, table: Table, settings: Any) -> Table:
        """A table in a layout that only this task knows (tokens and tags; instruction, input and output), with the task's own columns.

        Columns are added, never taken away; the rows stay. A note on the table says what was done.
        """
        return table

    def prepare(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record, checked and in the task's own form. Raises DataError with one sentence about what is wrong with it; the caller names
        file and row, and counts it against ``--max-bad-rows``. Fields that a file does not have are None. What
        was mended is said under "repaired", {reason: detail}: the caller puts it into the ledger.
        """
        return record

    def complete(self, record: Record) -> None:
        """Raises DataError, likewise, for a prepared record that lacks what is to be learned, where no output column can say so."""

    def asked(self, record: Record) -> None:
        """Raises DataError, likewise, for a prepared record that can be learned from but asks nothing, such as a text without a mask."""

    def plain(self, record: Record) -> str:
        """What people would read in a record's inputs, as one text: for the data check, for finding duplicates, for a tokenizer."""
        return "\n".join(str(record[field.name]) for field in self.inputs if field.type == "text" and record.get(field.name))

    def measured(self, record: Record, spec: Spec) -> str:
        """The text whose tokens ``max_length`` limits, for the data check."""
        return self.plain(record)

    def in_windows(self, spec: Spec) -> bool:
        """``windowed``, where it depends on what was learned (plain text, or conversations)."""
        return self.windowed

    def targets(self, record: Record) -> list[str]:
        """The texts a generating model must learn to write, for the tokenizer of a blank model; [] elsewhere."""
        return []

    def learn(self, records: Records, settings: Any) -> Spec:
        """What must be remembered from the training records, as plain JSON. Raises DataError where nothing can be learned from them."""
        return {}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The same for a pretrained model that is used as it is, from its config. Raises ModelError with one sentence about what it lacks;
        the caller names the model and says what to do.
        """
        return {}

    def based_on(self, spec: Spec, model_config: Mapping[str, Any]) -> Spec:
        """What ``learn`` gave, with what the base model's config decides (how it makes one vector of a text)."""
        return spec

    def adjusted(self, spec: Spec, given: Mapping[str, Any]) -> Spec:
        """The spec of a finished run with the settings that were given when it is used (``--top-k 3``), and no others: a default that was
        typed counts, one that was not does not.
        """
        return {**spec, **{name: value for name, value in given.items() if name in spec}}

    def wishes(self, settings: Any) -> dict[str, Any]:
        """The task's own settings by name, columns left out."""
        return {one.name: getattr(settings, one.name) for one in dataclasses.fields(self.settings) if not one.metadata["column"]}

    def judged_by(self, spec: Spec) -> Headline:
        """The headline, where it depends on what was learned (one label a text, or several)."""
        return self.headline

    def judged_on(self, spec: Spec, records: Records) -> Spec:
        """The spec by which an evaluation on these records scores, where they decide what can be measured (pairs with scores, or without).
        Raises DataError where they say too little.
        """
        return spec

    def check_judging(self, spec: Spec, records: Records) -> None:
        """Asked before the work whose answers ``score`` will judge, with what ``score`` will be given: better heard now than hours later.

        Raises:
            UsageError: a package that judging needs is not installed.
            DataError: the records lack what answers are judged by.
        """

    def selected_by(self, spec: Spec) -> Headline:
        """What picks the best checkpoint."""
        return self.selection or self.judged_by(spec)

    def selected_on(self, spec: Spec, records: Records) -> Headline:
        """The same where these are the validation records: another metric, or "loss", where that one would not change with the answers."""
        return self.selected_by(spec)

    def model_config(self, spec: Spec) -> dict[str, Any]:
        """What the model's config must say (``num_labels``, ``id2label``, ...) so that plain transformers reads the model as we do."""
        return {}

    def model_files(self, spec: Spec, width: int, longest: int) -> dict[str, Any]:
        """JSON files that a trained model's folder gets beside its weights, by path in it, so that other libraries read the model as we do.

        Args:
            width: numbers in one of the model's hidden states.
            longest: tokens that training cut texts at.
        """
        return {}

    def fit(self, spec: Spec, processor: Processor) -> Spec:
        """The spec with what the model's tokenizer decides (the mask's id, the chat template)."""
        return spec

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """A record's features: one, or several where the task works in windows. Targets are set when ``for_training``; none at all leave a
        row out of the training, and ``remark`` says why.
        """
        raise NotImplementedError

    def remark(self, record: Record, features: Sequence[Features], spec: Spec, *, max_length: int) -> Remark | None:
        """What the ledger should say of a training row beside what was cut: why nothing of it is learned, or not as it looks."""
        return None

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """The prediction for a record from all its features and the model's outputs for each: {"logits": (labels,)}, ..."""
        raise NotImplementedError

    def in_browser(self, spec: Spec) -> dict[str, Any] | None:
        """What a page must be told to do in a browser what ``encode`` and ``decode`` do here: {"encode": {"kind": ...}, "decode": {"kind":
        ...}} with the values that each kind needs, plain JSON; the kinds are those of ``deploy/space/static/page/encode.js`` and
        ``decode.js``. "asked" names settings that visitors may change, with what they are; "not_in" languages of which a page cannot read
        the texts as this does. None where no page does the same, which is never approximated. Whoever changes ``encode`` or ``decode``
        declares this anew.
        """
        return None

    def decisions(self, prediction: Prediction) -> frozenset[Any] | None:
        """What a prediction decides, without how sure it is: its label or labels, its entities, its answer's place. None where it decides
        nothing and is numbers or a text. Two predictions of a record are compared by it.
        """
        if "labels" in prediction:
            return frozenset(prediction["labels"])
        if "label" in prediction:
            return frozenset([prediction["label"]])
        if "spans" in prediction:
            return frozenset((span["start"], span["end"], span["label"]) for span in prediction["spans"])
        return frozenset([(prediction["answer"], prediction["start"])]) if {"answer", "start"} <= prediction.keys() else None

    def generation(self, spec: Spec) -> dict[str, Any]:
        """How a generating task writes: arguments of transformers' ``generate`` (``max_new_tokens``, ``num_beams``, ...)."""
        return {}

    def calibrate(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> Spec:
        """The spec with what validation predictions teach (thresholds and the like)."""
        return spec

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """``{"metrics": {name: value}, "intervals": {name: [low, high]}, ...}``; "notes" are sentences that people should hear, and further
        keys are details that reports know how to draw.
        """
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

    def schema(self, settings: Any) -> Schema:
        """What reading must know of this task."""
        return Schema(
            inputs=self.inputs,
            outputs=self.outputs,
            columns={field.flag: getattr(settings, field.flag) for field in self.fields.values() if field.flag},
            endings=self.endings,
            read=self.read,
            reshape=lambda table: self.reshape(table, settings),
            prepare=None if type(self).prepare is Task.prepare else lambda record: self.prepare({**dict.fromkeys(self.fields), **record}),
            complete=None if type(self).complete is Task.complete else self.complete,
            asked=None if type(self).asked is Task.asked else self.asked,
        )

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Inputs and outputs by name."""
        return {field.name: field for field in (*self.inputs, *self.outputs)}

    def texts(self, records: Records) -> Iterator[str]:
        """Everything that a blank model's tokenizer should be trained on."""
        for record in records:
            yield self.plain(record)
            yield from self.targets(record)
