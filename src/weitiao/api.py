"""The public Python interface: check, train, load, and the Run they give. The command line calls exactly this.

    run = weitiao.train("reviews.csv", text="text", label="label")
    run.predict(["what a lovely day"])

It knows settings and runs; it prints nothing. Whoever wants to watch passes an Observer.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import __version__, report, tasks
from weitiao.config import Recipe
from weitiao.data import loading, writing
from weitiao.data.cleaning import to_records
from weitiao.data.columns import ColumnPlan
from weitiao.data.ledger import Ledger
from weitiao.data.reading import Reading, iter_tables
from weitiao.data.records import Records
from weitiao.engine.session import Session, read_examples
from weitiao.errors import INTERRUPTED, RunError, UsageError, WeitiaoError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import RunFolder, atomic
from weitiao.tasks.base import Prediction, Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor


def check(source: str, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
    """Look at the data the way ``train`` would, without training.

    Returns:
        {"check": findings, "plan": which column is what, "ledger": counts, "entries": the ledger's lines}.

    Raises:
        DataError: the data cannot be read or used; the message says where and what to do.
    """
    examples = read_examples(Recipe.of({"data": source, **settings}), observer, base_needed=False)
    ledger = examples.ledger
    return {"check": examples.check, "plan": examples.loaded.plan.as_dict(), "ledger": ledger.counts(), "entries": list(ledger.lines())}


def plan(source: str, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
    """Everything ``train`` does before its first step: data, base model, steps, estimated time and memory. Nothing is written."""
    with _planned(source, settings, observer) as (_session, planned):
        return planned


def train(source: str = "", *, observer: Observer = SILENT, command: Sequence[str] = (), **settings: Any) -> "Run":
    """Fine-tune a model on a file of examples, evaluate it, and write the run.

    Args:
        source: a file, a folder with train/validation/test files, or hub:NAME.
        command: the command line to record; the running process's by default.
        settings: any field of ``config``: ``text="text"``, ``label="label"``, ``epochs=3``, ...

    Returns:
        The finished run.

    Raises:
        WeitiaoError: by kind, see ``errors``. Nothing is left behind by what fails before the first step.
        KeyboardInterrupt: interrupted; the state was saved, ``resume`` goes on from there.
    """
    with _planned(source, settings, observer) as (session, _plan):
        folder = session.folder
        folder.create(overwrite=session.recipe.output.overwrite)
        session.begin({"weitiao": __version__, "name": folder.path.name, "started": _now(), "command": list(command or sys.argv)})
        return _finish(session, folder, observer)


def resume(path: str | Path, *, observer: Observer = SILENT) -> "Run":
    """Go on with a run that was interrupted or killed; on a CPU it ends with the very weights it would have had.

    Raises:
        RunError: there is nothing to go on with, or the data or the base model has changed since.
    """
    folder = RunFolder.open(path)
    record = folder.record()
    if record.get("status") == "finished":
        message = _("{path} is finished. Use it: weitiao predict {path} TEXT, or train another with a new --out.").format(path=path)
        raise RunError(message)
    if "settings" not in record:
        raise RunError(_("{path} was stopped before it began; train again with --overwrite.").format(path=path))
    folder.sweep()
    base = record["base_model"]
    # The base that was chosen then, even if "auto" would choose another today.
    model = record["settings"]["model"] if base["source"] == "folder" else "offline" if base["source"] == "offline" else base["id"]
    session = Session(Recipe.of({**record["settings"], "model": model}), observer, folder)
    try:
        if session.continue_from(record):
            step, steps = session.trainer.progress.step, session.trainer.job.steps
            observer.note(_("Continuing {path} at step {step} of {steps}.").format(path=path, step=step, steps=steps))
        else:
            observer.note(_("{path} has no checkpoint yet: starting from the first step.").format(path=path))
        return _finish(session, folder, observer)
    finally:
        session.close()


def load(path: str | Path) -> "Run":
    """A finished run, ready to evaluate and predict. Its weights are read on first use.

    Raises:
        RunError: there is no run, or it was never finished.
    """
    folder = RunFolder.open(path)
    if folder.record().get("status") != "finished":
        message = _("{path} is not finished. Go on with: weitiao train --resume {path}").format(path=path)
        raise RunError(message)
    return Run(folder)


@contextmanager
def _planned(source: str, settings: Mapping[str, Any], observer: Observer) -> Iterator[tuple[Session, dict[str, Any]]]:
    """A session with everything done that comes before the first write, and its plan, which the observer has heard."""
    recipe = Recipe.of({"data": source, **settings})
    folder = RunFolder(_out(recipe))
    folder.check_free(overwrite=recipe.output.overwrite)
    session = Session(recipe, observer, folder)
    try:
        plan = session.plan()
        observer.planned(plan)
        yield session, plan
    finally:
        session.close()


def _finish(session: Session, folder: RunFolder, observer: Observer) -> "Run":
    """Train to the end and close the run's record, whatever happens."""
    folder.update(status="running", exit_code=None)
    try:
        session.fit()
        folder.update(status="finished", exit_code=0, ended=_now())
        report.write_card(folder)
        report.write_report(folder)
        session.trainer.job.store.remove()
    except KeyboardInterrupt:
        folder.update(status="interrupted", exit_code=INTERRUPTED, ended=_now())
        observer.note(_("Interrupted. The state is saved; go on with: weitiao train --resume {path}").format(path=folder.path))
        raise
    except BaseException as error:
        # The disk may be what failed: the first error is the one to show.
        with suppress(WeitiaoError):
            folder.update(status="failed", exit_code=getattr(error, "exit_code", 1), ended=_now())
        raise
    return Run(folder)


class Run:
    """A run folder that can be used.

    Attributes:
        path: the folder.
        folder: the names inside it.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.path = folder, folder.path
        self._predictor: Predictor | None = None

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def record(self) -> dict[str, Any]:
        """run.json."""
        return self.folder.record()

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of the held-out split ({} where there was none)."""
        return dict((self.record.get("evaluation") or {}).get("metrics", {}))

    @property
    def task(self) -> Task:
        """What the run learned to do."""
        return tasks.get(self.record["task"])

    def predict(self, inputs: Sequence[str | Mapping[str, Any]]) -> list[Prediction]:
        """One prediction for each text, or for each record ({"text": ...}), in order.

        For text classification: {"label": ..., "score": its probability, "probabilities": {label: probability}}.
        """
        if isinstance(inputs, str):
            raise UsageError(_('predict takes a list of texts: predict(["{text}"])').format(text=inputs[:40]))
        return list(self.predictor().predict([self._as_record(value, at) for at, value in enumerate(inputs)]))

    def evaluate(self, data: str, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
        """Predict and score a file that has the answers: metrics with 95% intervals, baselines where the training data is still there.

        Args:
            data: a file; its columns are found as in training.
            settings: reading settings: text, label, encoding, delimiter, max_bad_rows.

        Raises:
            DataError: the file cannot be read, or lacks a column.
        """
        from weitiao.engine.evaluation import evaluate

        records, ledger = loading.read_records(data, observer=observer, **self._reading(settings))
        evaluation, _predictions, _speed = evaluate(
            self.predictor(), records, split="data", train=self._training_records(), observer=observer
        )
        evaluation["ledger"] = ledger.counts()
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
        columns = self.task.columns(self.record["spec"])
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
        reading = self._reading(settings)
        empty = dict.fromkeys(task.columns(self.record["spec"]))
        plan, done = None, 0
        for table in iter_tables(data, reading["reading"], ledger):
            plan = plan or loading.fit_plan(table, reading["plan"], task.inputs, (), reading["chosen"], need_outputs=False)
            # Rows without a text stay in the output, so what would drop them is not a loss to be listed.
            records = to_records(table, plan, Ledger(), need_outputs=False)
            answers = dict(zip(records.rows.tolist(), self.predictor().predict(records), strict=True))
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
        for what, count in ledger.counts().items():
            observer.warn(_("{file}: {what}, {count} rows.").format(file=data, what=what, count=count))

    def write_report(self) -> Path:
        """Write report.html and the model card again, in the language in force."""
        report.write_card(self.folder)
        return report.write_report(self.folder)

    def predictor(self) -> "Predictor":
        """The run as a function from records to predictions, loaded on first use."""
        if self._predictor is None:
            from weitiao.engine.devices import machine_for, require_torch

            require_torch()
            from weitiao.engine.hub import verify_folder
            from weitiao.engine.models import load_model
            from weitiao.engine.prediction import Predictor

            record, task = self.record, self.task
            verify_folder(self.folder.model)
            loaded = load_model(self.folder.model, task.model_class, {}, machine_for(Recipe.of({"precision": "fp32"}).training))
            self._predictor = Predictor(task, record["spec"], loaded, loaded.processor, record["training"]["max_length"])
        return self._predictor

    def _as_record(self, value: str | Mapping[str, Any], at: int) -> dict[str, Any]:
        names = [field.name for field in self.task.inputs]
        record = dict(value) if isinstance(value, Mapping) else {names[0]: value}
        for name in names:
            if not isinstance(record.get(name), str):
                message = _('Input {number}: "{name}" must be a text, and it is {value!r}.').format(
                    number=at + 1, name=name, value=record.get(name)
                )
                raise UsageError(message)
        return record

    def _reading(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What ``loading`` needs to read another file as the training data was read."""
        task = self.task
        chosen = Recipe.of(settings).data
        return {
            "plan": ColumnPlan.from_dict(self.record["data"]["plan"], task.inputs, task.outputs),
            "inputs": task.inputs,
            "outputs": task.outputs,
            "chosen": {
                field.flag: getattr(chosen, field.flag) for field in (*task.inputs, *task.outputs) if getattr(chosen, field.flag, None)
            },
            "reading": Reading(chosen.encoding, chosen.delimiter, chosen.max_bad_rows),
        }

    def _training_records(self) -> Records | None:
        """The training split, read again for the baselines; None where the data is gone or has changed."""
        record = self.record
        recipe = Recipe.of(record["settings"])
        try:
            loaded = loading.load(
                recipe.source,
                recipe.data,
                inputs=self.task.inputs,
                outputs=self.task.outputs,
                seed=recipe.training.seed,
                offline=True,
            )
        except WeitiaoError:
            return None
        same = loaded.fingerprints["train"] == record["data"]["splits"]["train"]["fingerprint"]
        return loaded.splits["train"] if same else None


def _out(recipe: Recipe) -> Path:
    """--out, or runs/NAME after the data, with a number where that is taken."""
    if recipe.output.out:
        return Path(recipe.output.out)
    name = Path(recipe.source.removeprefix("hub:").replace(":", "-")).stem or "run"
    path = Path("runs") / name
    number = 2
    while path.exists():
        path = Path("runs") / f"{name}-{number}"
        number += 1
    return path


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
