"""A model in use: records in, predictions out, whatever it is: a finished run, or a pretrained model as it came.

It knows a task, what was learned, and where a predictor comes from; it writes answers, never into a run.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import asking, tasks
from weitiao.data.ledger import Ledger
from weitiao.data.records import Records
from weitiao.errors import DataError, UsageError
from weitiao.labels import labels_of, ordered
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.quantities import some
from weitiao.runs import RunFolder, atomic
from weitiao.scope import check_reading
from weitiao.tasks.base import Prediction, Spec, Task

if TYPE_CHECKING:
    from weitiao.data.column_plan import ColumnPlan
    from weitiao.data.reading import Reading
    from weitiao.data.table import Table
    from weitiao.engine.prediction import Predictor

NAMED = 10  # rows of a file that a warning names


@dataclass(frozen=True)
class FileRow:
    """A row of a file and what the model says of it.

    Attributes:
        columns: the row as the file has it.
        answer: the task's columns (``Task.columns``), headline first; all of them None where it has no text.
        answered: whether it has one.
    """

    columns: Mapping[str, str]
    answer: Mapping[str, Any]
    answered: bool

    @property
    def names(self) -> dict[str, str]:
        """What each column of the answer is called beside the row's: an answer never takes the place of a column of the file."""
        return {name: _free(name, self.columns) for name in self.answer}

    @property
    def flat(self) -> dict[str, Any]:
        """Both in one dict."""
        return {**self.columns, **{name: self.answer[key] for key, name in self.names.items()}}


class Model:
    """A task, what was learned, and a predictor that is loaded on first use.

    Attributes:
        name: what to call it in messages.
        task: what it does.
        options: the task's own settings in force, which say how answers are written in a file.
        offline: open no socket.
        trust_remote_code: the one repository whose Python code may run.
        precision: the number format that was asked for: "fp32", "bf16", "int8", or "auto", which takes 8 bits for a file of many rows.
        computes_in: the one in force.
        folder: the run's, None for a model that is of no run.
        truncated: how many of the records that it predicted were longer than it reads.
        load_seconds: how long it took to load the weights and, for 8 bits, to check them; 0 before.
    """

    def __init__(self, name: str, task: Task, spec: Spec, load: "Callable[[Spec], Predictor]", plan: "ColumnPlan | None" = None) -> None:
        self.name, self.task, self.spec = name, task, spec
        self.options: dict[str, Any] = {}
        self.offline, self.trust_remote_code = False, ""
        self.precision = self.computes_in = "fp32"
        self.folder: RunFolder | None = None
        self.truncated, self.load_seconds = 0, 0.0
        self._load, self._plan = load, plan
        self._predictor: Predictor | None = None
        self._settled = False

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
        answers = self.ready(len(records)).predict(records, truncated=self._cut)
        return [{name: value for name, value in answer.items() if not name.startswith("_")} for answer in answers]

    def stream(self, record: str | Mapping[str, Any], **arguments: Any) -> Iterator[str]:
        """The answer of a model that writes, piece by piece.

        Args:
            record: one record, or the value of the task's first input.
            arguments: of transformers' ``generate``: ``max_new_tokens``, ``do_sample``, ...
        """
        if self.task.answers_by != "generate":
            raise UsageError(_("{task} does not write its answer, so there is nothing to stream.").format(task=self.task.name))
        predictor: Any = self.ready(1)
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
        return {"name": self.name, **explain(self.ready(1), record)}

    def evaluate(self, data: str, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
        """Predict and score a file that has the answers: metrics with 95% intervals, baselines where the training data is still there.
        "trained_on" says how many of its rows the model was trained on, as far as is known.

        Args:
            data: a file; its columns are found as in training.
            settings: reading settings: text, label, text_separator, encoding, delimiter, max_bad_rows, offline.

        Raises:
            DataError: the file cannot be read, lacks a column, or has none of the model's labels.
            UsageError: a setting that would change nothing.
        """
        from weitiao.data import loading
        from weitiao.engine.evaluation import evaluate

        plan, schema, reading = self._reading(settings, self.options)
        records, ledger = loading.read_records(data, plan, schema, reading=reading, observer=observer)
        self._check_labels(records, observer)
        train = self._training_records()
        known = self._trained_on(records, train)
        if known:
            message = _(
                "{count} of {rows} rows of {file} were trained on, so these figures say little about new texts. Take rows that the model "
                "has never seen; those that were held out are in the run's report."
            )
            observer.warn(message.format(count=known, rows=len(records), file=records.source))
        predictor = self.ready(len(records), observer)
        evaluation, _predictions, _speed = evaluate(predictor, records, split="data", train=train, observer=observer, ledger=ledger)
        evaluation |= {"precision": self.computes_in, "ledger": (counts := ledger.counts()), "trained_on": known}
        self.warn_of_cut(counts.get("truncated:too_long", 0), len(records), observer)
        observer.evaluated(evaluation)
        return evaluation

    def predict_file(self, data: str, out: str | Path, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
        """Predict every row of a file and write the answers beside its columns, in order and in bounded memory.

        Args:
            out: a .csv, .tsv, .jsonl or .parquet file; it appears whole or not at all.

        Returns:
            {"rows", "unanswered", "precision", "ledger", "seconds", "rows_per_s", "out"}; rows without a text are kept, with an empty
            answer, and the speed leaves out the loading of the model.

        Raises:
            UsageError: ``out`` is the file itself, or has an ending that is not written.
        """
        from weitiao.data import writing

        ending, out = writing.check_ending(out), Path(out)
        if os.path.exists(out) and os.path.exists(data) and out.samefile(data):
            message = _("{out} is the file that is read. Choose another name for the predictions.")
            raise UsageError(message.format(out=out))
        began, loaded, ledger = time.perf_counter(), self.load_seconds, Ledger()
        rows = unanswered = 0
        batches = self.predict_rows(data, observer=observer, ledger=ledger, **settings)
        first = next(batches, [])
        kinds = self.task.columns(self.spec)
        numbers = {name for row in first[:1] for key, name in row.names.items() if kinds[key] == "number"}
        with atomic(out) as temporary, writing.writer(temporary, ending, numbers) as sink:
            for batch in chain([first], batches):
                sink.write([row.flat for row in batch])
                rows += len(batch)
                unanswered += sum(not row.answered for row in batch)
        seconds = time.perf_counter() - began
        if unanswered:
            observer.warn(_("{count} of {rows} rows have no text; their answers are left empty.").format(count=unanswered, rows=rows))
        speed = rows / max(seconds - (self.load_seconds - loaded), 1e-9)
        told = {"rows": rows, "unanswered": unanswered, "precision": self.computes_in, "ledger": ledger.counts()}
        return {**told, "seconds": seconds, "rows_per_s": speed, "out": str(out)}

    def predict_rows(
        self, data: str, *, observer: Observer = SILENT, ledger: Ledger | None = None, **settings: Any
    ) -> Iterator[list[FileRow]]:
        """The file's rows with their answers, in its order, a batch at a time; what could not be read or was cut goes to ``ledger``."""
        from weitiao.data import loading
        from weitiao.data.bad_rows import BadRows
        from weitiao.data.cleaning import to_records
        from weitiao.data.reading import iter_tables
        from weitiao.data.titles import rows_line
        from weitiao.engine.lookahead import peeked

        task, ledger = self.task, Ledger() if ledger is None else ledger
        plan, schema, reading = self._reading(settings)
        schema = replace(schema, outputs=())  # answers that a file holds are carried along, whatever they look like
        empty = dict.fromkeys(task.columns(self.spec))
        done, cut_before = 0, self.truncated

        def pieces() -> "Iterator[tuple[Table, Records]]":
            fitted, bad = None, BadRows(data, reading.max_bad_rows, ledger)
            for table in iter_tables(data, reading, ledger, bad):
                shaped = schema.reshape(table)
                fitted = fitted or loading.fit_plan(shaped, plan, schema, separator=reading.text_separator, need_outputs=False)
                # Rows without a text stay in the output, so what would drop them is not a loss to be listed.
                prepare = schema.preparation(need_outputs=False)
                yield table, to_records(shaped, fitted, Ledger(), need_outputs=False, prepare=prepare, bad=bad)

        # One format for the whole file, whatever pieces it comes in.
        rows, file = peeked(pieces(), lambda piece: len(piece[1]), self._rows_to_decide())
        predictor = self.ready(rows, observer)
        for table, records in file:
            cut = partial(self._cut_row, data, records, ledger)
            told = partial(_tell, observer, done)
            answers = dict(zip(records.rows.tolist(), predictor.predict(records, progress=told, truncated=cut), strict=True))
            columns = [table.texts(name) for name in table.names]
            batch = []
            for row, *values in zip(table.rows.tolist(), *columns, strict=True):
                kept = dict(zip(table.names, values, strict=True))
                batch.append(FileRow(kept, task.flat(answers[row]) if row in answers else empty, row in answers))
            yield batch
            done += len(batch)
            observer.progress("predict", done, None, {})
        self.warn_of_cut(self.truncated - cut_before, done, observer)
        for what in ledger.counts():
            if not what.startswith("truncated:"):  # said above, with the limit
                observer.warn(rows_line(data, what, [entry.row for entry in ledger.of(what)]))

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
            began = time.perf_counter()
            self._predictor = self._load(self.spec)
            self.spec, self.load_seconds = self._predictor.spec, time.perf_counter() - began
        return self._predictor

    def ready(self, rows: int, observer: Observer = SILENT) -> "Predictor":
        """The predictor, computing in the number format that was asked for.

        Args:
            rows: how many records it is wanted for, all in all. "auto" is decided by the first call with many, and stays so.
            observer: hears what was decided, and why.

        Raises:
            UsageError: 8 bits were asked for and are not possible.
            GateError: they change too many answers.
        """
        predictor = self.predictor()
        if self._settled or self.precision == "fp32":
            return predictor
        if not hasattr(predictor.backend, "loaded"):
            if self.precision == "auto":
                return predictor
            message = _(
                "{model} is an export and computes as it was exported; leave out --precision {value}. There are exports in int8, too."
            )
            raise UsageError(message.format(model=self.name, value=self.precision))
        from weitiao.engine import number_formats

        began = time.perf_counter()
        if self.precision == "bf16":
            number_formats.take_bf16(predictor, observer)
        elif self.precision == "int8":
            number_formats.take_int8(predictor, self.folder, observer)
        taken = self.precision
        if taken == "auto":
            taken = number_formats.take_fastest(predictor, self.folder, rows, observer)
        self._settled = bool(taken)
        self.computes_in = taken or self.computes_in
        self.load_seconds += time.perf_counter() - began
        return predictor

    def _rows_to_decide(self) -> int:
        """How many rows of a file must be seen before ``ready`` is asked."""
        if self._settled or self.precision != "auto":
            return 1  # what is wrong with a file is said before the weights are read
        from weitiao.engine import number_formats

        return number_formats.MANY_UNCHECKED

    def _check_labels(self, records: Records, observer: Observer) -> None:
        """Say which labels of a file the model does not know, for they can only be missed. Raises DataError where it knows none."""
        known = self.spec.get("labels")
        field = next((field for field in self.task.outputs if field.type == "choice" and not field.varied), None)
        if not known or field is None:
            return
        answers = [labels_of(value) for value in records.columns[field.name]]
        there = {label for labels in answers for label in labels}
        strange = ordered(there - set(known))
        rows = sum(not set(labels).isdisjoint(strange) for labels in answers)
        words = {
            "file": records.source,
            "labels": some(strange, NAMED),
            "known": some(known, NAMED),
            "count": rows,
            "rows": len(records),
        }
        if strange and there.isdisjoint(known):
            message = _("{file}: the model knows none of its labels ({labels}); it knows: {known}. Check --label, or take another file.")
            raise DataError(message.format(**words), file=records.source, column=field.name)
        if strange:
            message = _("{count} of {rows} rows have a label that the model does not know ({labels}), so it cannot be right about them.")
            observer.warn(message.format(**words))

    def _cut(self, at: int, tokens: int) -> None:
        self.truncated += 1

    def _cut_row(self, data: str, records: Records, ledger: Ledger, at: int, tokens: int) -> None:
        self._cut(at, tokens)
        ledger.cut(data, int(records.rows[at]), tokens, self.predictor().max_length)

    def _as_record(self, value: str | Mapping[str, Any], at: int, given: Mapping[str, Any]) -> dict[str, Any]:
        return asking.as_record(self.task, self.spec, value, at, given)

    def _reading(self, settings: Mapping[str, Any], options: Mapping[str, Any] = {}) -> "tuple[ColumnPlan | None, Any, Reading]":
        """What ``loading`` needs to read another file as the training data was read; ``options`` are the task's, where nobody says else."""
        from weitiao.data.reading import Reading

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

    def _trained_on(self, records: Records, train: Records | None) -> int:
        """How many records the model was trained on, as far as is known."""
        from weitiao.data.duplicates import shared_rows

        return shared_rows(records, train, [field.name for field in self.task.inputs]) if train is not None else 0


def _tell(observer: Observer, before: int, rows: int) -> None:
    """How far a file is: so many rows of this part of it, and so many before."""
    observer.progress("predict", before + rows, None, {})


def _free(name: str, taken: Collection[str]) -> str:
    """A name that is not taken: ``name`` itself, or with "predicted_" before it as often as it takes."""
    while name in taken:
        name = f"predicted_{name}"
    return name
