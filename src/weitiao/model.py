"""A model in use: records in, predictions out, whatever it is: a finished run, or a pretrained model as it came.

It knows a task, what was learned, and where a predictor comes from; it writes answers, never into a run.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import tasks
from weitiao.data import loading, writing
from weitiao.data.cleaning import to_records
from weitiao.data.columns import ColumnPlan
from weitiao.data.ledger import Ledger
from weitiao.data.reading import Reading, iter_tables
from weitiao.data.records import Records
from weitiao.errors import DataError, UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import atomic
from weitiao.scope import check_reading
from weitiao.tasks.base import Prediction, Spec, Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor


class Model:
    """A task, what was learned, and a predictor that is loaded on first use.

    Attributes:
        name: what to call it in messages.
        task: what it does.
        options: the task's own settings in force, which say how answers are written in a file.
        offline: open no socket.
        trust_remote_code: the one repository whose Python code may run.
        truncated: how many of the records that it predicted were longer than it reads.
    """

    def __init__(self, name: str, task: Task, spec: Spec, load: "Callable[[Spec], Predictor]", plan: ColumnPlan | None = None) -> None:
        self.name, self.task, self.spec = name, task, spec
        self.options: dict[str, Any] = {}
        self.offline, self.trust_remote_code = False, ""
        self.truncated = 0
        self._load, self._plan = load, plan
        self._predictor: Predictor | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def predict(self, inputs: Sequence[str | Mapping[str, Any]] | str | Mapping[str, Any], **given: Any) -> list[Prediction]:
        """One prediction for each text, or for each record ({"text": ...}), in order.

        For text classification: {"label": ..., "score": its probability, "probabilities": {label: probability}}.

        Args:
            inputs: records, or values of the task's first input.
            given: the same further input for all of them: ``predict(["Who?"], context="...")``.
        """
        if isinstance(inputs, (str, Mapping)):
            raise UsageError(_('predict takes a list of texts: predict(["{text}"])').format(text=str(inputs)[:40]))
        records = [self._as_record(value, at, given) for at, value in enumerate(inputs)]  # judged before the weights are read
        return list(self.predictor().predict(records, truncated=self._cut))

    def stream(self, record: str | Mapping[str, Any], **arguments: Any) -> Iterator[str]:
        """The answer of a model that writes, piece by piece.

        Args:
            record: one record, or the value of the task's first input.
            arguments: of transformers' ``generate``: ``max_new_tokens``, ``do_sample``, ...
        """
        if self.task.answers_by != "generate":
            raise UsageError(_("{task} does not write its answer, so there is nothing to stream.").format(task=self.task.name))
        predictor: Any = self.predictor()
        (features,) = predictor.encode(self._as_record(record, 0, {}))
        yield from predictor.backend.stream(features, arguments)

    def explain(self, value: str | Mapping[str, Any], **given: Any) -> dict[str, Any]:
        """What really happens to one input: the tokens it becomes, what the network gives for them, the table that is read with, the answer
        that ``predict`` gives, and where words can be left out, which of them moved it. See ``engine.explaining``.

        Args:
            value: one record, or the value of the task's first input.
            given: further inputs: ``explain("Who?", context="...")``.

        Returns:
            {"name", "task", "summary", "input", "encode", "forward", "decode", "influence"}, plain JSON.
        """
        from weitiao.engine.explaining import explain

        record = self._as_record(value, 0, given)
        return {"name": self.name, **explain(self.predictor(), record)}

    def evaluate(self, data: str, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
        """Predict and score a file that has the answers: metrics with 95% intervals, baselines where the training data is still there.

        Args:
            data: a file; its columns are found as in training.
            settings: reading settings: text, label, text_separator, encoding, delimiter, max_bad_rows, offline.

        Raises:
            DataError: the file cannot be read, or lacks a column.
            UsageError: a setting that would change nothing.
        """
        from weitiao.engine.evaluation import evaluate

        plan, schema, reading = self._reading(settings, self.options)
        records, ledger = loading.read_records(data, plan, schema, reading=reading, observer=observer)
        evaluation, _predictions, _speed = evaluate(
            self.predictor(), records, split="data", train=self._training_records(), observer=observer, ledger=ledger
        )
        evaluation["ledger"] = counts = ledger.counts()
        self.warn_of_cut(counts.get("truncated:too_long", 0), len(records), observer)
        observer.evaluated(evaluation)
        return evaluation

    def predict_file(self, data: str, out: str | Path, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
        """Predict every row of a file and write the answers beside its columns, in order and in bounded memory.

        Args:
            out: a .csv, .tsv, .jsonl or .parquet file; it appears whole or not at all.

        Returns:
            {"rows", "unanswered", "seconds", "rows_per_s", "out"}; rows without a text are kept, with an empty answer.
        """
        ending = writing.check_ending(out)
        began = time.perf_counter()
        rows = unanswered = 0
        columns = self.task.columns(self.spec)
        numbers = {prefix + name for name, kind in columns.items() if kind == "number" for prefix in ("", "predicted_")}
        with atomic(Path(out)) as temporary, writing.writer(temporary, ending, numbers) as sink:
            for batch in self.predict_rows(data, observer=observer, **settings):
                sink.write([flat for flat, _answered in batch])
                rows += len(batch)
                unanswered += sum(not answered for _flat, answered in batch)
        seconds = time.perf_counter() - began
        if unanswered:
            observer.warn(_("{count} of {rows} rows have no text; their answers are left empty.").format(count=unanswered, rows=rows))
        return {"rows": rows, "unanswered": unanswered, "seconds": seconds, "rows_per_s": rows / max(seconds, 1e-9), "out": str(out)}

    def predict_rows(self, data: str, *, observer: Observer = SILENT, **settings: Any) -> Iterator[list[tuple[dict[str, Any], bool]]]:
        """Batches of (the row's columns and answer as one flat dict, whether it could be answered), in the file's order."""
        task, ledger = self.task, Ledger()
        plan, schema, reading = self._reading(settings)
        schema = replace(schema, outputs=())  # answers that a file holds are carried along, whatever they look like
        empty = dict.fromkeys(task.columns(self.spec))
        fitted, done, cut_before = None, 0, self.truncated
        for table in iter_tables(data, reading, ledger):
            shaped = schema.reshape(table)
            fitted = fitted or loading.fit_plan(shaped, plan, schema, separator=reading.text_separator, need_outputs=False)
            # Rows without a text stay in the output, so what would drop them is not a loss to be listed.
            prepare = schema.preparation(need_outputs=False)
            records = to_records(shaped, fitted, Ledger(), need_outputs=False, prepare=prepare, max_bad_rows=reading.max_bad_rows)
            answers = dict(zip(records.rows.tolist(), self.predictor().predict(records, truncated=self._cut), strict=True))
            # An answer never takes the place of a column of the file.
            names = {name: f"predicted_{name}" if name in table.columns else name for name in empty}
            columns = [table.texts(name) for name in table.names]
            batch = []
            for row, *values in zip(table.rows.tolist(), *columns, strict=True):
                flat = task.flat(answers[row]) if row in answers else empty
                kept = dict(zip(table.names, values, strict=True))
                batch.append(({**kept, **{names[name]: value for name, value in flat.items()}}, row in answers))
            yield batch
            done += len(batch)
            observer.progress("predict", done, None, {})
        self.warn_of_cut(self.truncated - cut_before, done, observer)
        for what, count in ledger.counts().items():
            observer.warn(_("{file}: {what}, {count} rows.").format(file=data, what=what, count=count))

    def warn_of_cut(self, count: int, rows: int, observer: Observer) -> None:
        """Say how many of so many rows were longer than the model reads, if any were."""
        if count:
            message = _(
                "{count} of {rows} rows are longer than the {limit} tokens that the model reads of one; the rest of each was cut off."
            )
            observer.warn(message.format(count=count, rows=rows, limit=self.predictor().max_length))

    def predictor(self) -> "Predictor":
        """The model as a function from records to predictions, loaded on first use."""
        if self._predictor is None:
            self._predictor = self._load(self.spec)
            self.spec = self._predictor.spec
        return self._predictor

    def _cut(self, at: int, tokens: int) -> None:
        self.truncated += 1

    def _as_record(self, value: str | Mapping[str, Any], at: int, given: Mapping[str, Any]) -> dict[str, Any]:
        first = self.task.inputs[0]
        record = {**given, **value} if isinstance(value, Mapping) else {**given, first.name: value}
        for field in self.task.inputs:
            record.setdefault(field.name, None)
            if record[field.name] is None and not field.optional:
                message = _('Input {number} lacks "{name}". Give it with --{flag}, or as a record: {example}')
                example = {one.name: self.task.example[one.name] for one in self.task.inputs if one.name in self.task.example}
                raise UsageError(message.format(number=at + 1, name=field.name, flag=field.flag or field.name, example=example))
            if field.type in ("text", "image") and not isinstance(record[field.name], str | None):
                message = _('Input {number}: "{name}" must be a text, and it is {value!r}.')
                raise UsageError(message.format(number=at + 1, name=field.name, value=record[field.name]))
        try:
            prepared = self.task.prepare({**dict.fromkeys(field.name for field in self.task.outputs), **record})
            self.task.asked(prepared)
            return prepared
        except DataError as error:
            raise UsageError(_("Input {number}: {problem}").format(number=at + 1, problem=error)) from error

    def _reading(self, settings: Mapping[str, Any], options: Mapping[str, Any] = {}) -> tuple[ColumnPlan | None, Any, Reading]:
        """What ``loading`` needs to read another file as the training data was read; ``options`` are the task's, where nobody says else."""
        recipe = tasks.recipe({**options, **settings}, self.task)
        check_reading(settings, self.task)
        data, schema = recipe.data, self.task.schema(recipe.task)
        reading = Reading(
            data.encoding,
            data.delimiter,
            data.max_bad_rows,
            offline=self.offline or recipe.model.offline,
            schema=schema,
            text_separator=data.text_separator,
        )
        return self._plan, schema, reading

    def _training_records(self) -> Records | None:
        """The training split for the baselines; None where there is none."""
        return None
