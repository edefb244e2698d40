"""The public Python interface: check, train, load, and the Run they give. The command line calls exactly this.

    run = weitiao.train("reviews.csv", text="text", label="label")
    run.predict(["what a lovely day"])

It knows settings and runs. Long work is told in a terminal or a notebook (``progress``); whoever wants to hear it otherwise passes an
Observer. What reads data or trains is imported where it is needed: an export answers in less time than that takes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from weitiao import tasks, trust
from weitiao.config import Recipe, nearest
from weitiao.data.column_plan import ColumnPlan
from weitiao.data.records import Records
from weitiao.deploy.runtime import is_torch_free, load_export
from weitiao.errors import RunError, UsageError, WeitiaoError
from weitiao.messages import _
from weitiao.model import Model
from weitiao.observer import SILENT, Observer
from weitiao.pretraining_settings import MEASURED
from weitiao.running import carry_out, finish, prepared
from weitiao.runs import RunFolder
from weitiao.scope import check_loading, check_precision, options_of
from weitiao.tasks.base import Prediction, Spec

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor
    from weitiao.engine.session import Session


def check(source: str, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
    """Look at the data the way ``train`` would, without training.

    Returns:
        {"check": findings, "plan": which column is what, "ledger": counts, "entries": the ledger's lines}.

    Raises:
        DataError: the data cannot be read or used; the message says where and what to do.
    """
    from weitiao.engine.examples import read_examples

    examples = read_examples(tasks.recipe({"data": source, **settings}), observer, base_needed=False)
    ledger = examples.ledger
    return {"check": examples.check, "plan": examples.loaded.plan.as_dict(), "ledger": ledger.counts(), "entries": list(ledger.lines())}


def plan(source: str, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
    """Everything ``train`` does before its first step: data, base model, steps, estimated time and memory. Nothing is written."""
    with _planned(source, settings, observer) as (_session, planned):
        return planned


def train(
    source: str = "", *, observer: Observer | None = None, quiet: bool = False, command: Sequence[str] = (), **settings: Any
) -> "Run":
    """Fine-tune a model on a file of examples, evaluate it, and write the run.

    Args:
        source: a file, a folder with train/validation/test files, or hub:NAME.
        observer: hears what happens; without one, a terminal or a notebook is told on standard error, unless ``quiet``.
        quiet: say nothing.
        command: the command line to record; the running process's by default.
        settings: any field of ``config``: ``text="text"``, ``label="label"``, ``epochs=3``, ...

    Returns:
        The finished run.

    Raises:
        WeitiaoError: by kind, see ``errors``. Nothing is left behind by what fails before the first step.
        KeyboardInterrupt: interrupted; the state was saved, ``resume`` goes on from there.
    """
    from weitiao.progress import default_observer

    observer = default_observer(observer, quiet=quiet)
    with _planned(source, settings, observer) as (session, _plan):
        folder = session.folder
        carry_out(session, folder, observer, command)
        return Run(folder)


def resume(path: str | Path, *, observer: Observer | None = None, quiet: bool = False, trust_task: bool = False) -> "Run":
    """Go on with a run that was interrupted or killed; on a CPU it ends with the very weights it would have had.

    Args:
        observer, quiet: see ``train``.
        trust_task: see ``load``.

    Raises:
        RunError: there is nothing to go on with, or the data or the base model has changed since.
    """
    from weitiao.progress import default_observer

    observer = default_observer(observer, quiet=quiet)
    folder = RunFolder.open(path)
    record = folder.record()
    if record.get("status") == "finished":
        message = _("{path} is finished. Use it: weitiao predict {path} TEXT, or train another with a new --out.").format(path=path)
        raise RunError(message)
    if "settings" not in record:
        raise RunError(_("{path} was stopped before it began; train again with --overwrite.").format(path=path))
    folder.sweep()
    session = _session_again(record, folder, observer, trust_task=trust_task)
    try:
        if session.continue_from(record):
            step, steps = session.trainer.progress.step, session.trainer.job.steps
            observer.note(_("Continuing {path} at step {step} of {steps}.").format(path=path, step=step, steps=steps))
        else:
            observer.note(_("{path} has no checkpoint yet: starting from the first step.").format(path=path))
        finish(session, folder, observer)
        return Run(folder)
    finally:
        session.close()


def _session_again(record: Mapping[str, Any], folder: RunFolder, observer: Observer, *, trust_task: bool) -> Any:
    """The session of a run that goes on, made from what the run recorded."""
    from weitiao.engine import base_of_run, hub
    from weitiao.engine.session import Session

    settings = record["settings"]
    blank, trusted = record["base_model"]["source"] == "blank", settings.get("trust_remote_code")
    if trusted and not blank and not trust_task and trust.unknown(trust.repository(trusted)):
        message = _(
            "This run was trained with Python code of {repository}, which was never let run on this machine. Read that code; if you trust "
            "it, add --trust-task (in Python: trust_task=True)."
        )
        raise RunError(message.format(repository=trusted))
    if blank:
        found = {"model": str(folder.blank), "revision": ""}
    else:
        where = {"offline": settings["offline"], "trust_remote_code": settings["trust_remote_code"], "observer": observer}
        hub.found_again(record["base_model"], settings["model"], **where)
        found = base_of_run.named_again(record["base_model"], settings["model"])
    if "pretraining" in record:
        from weitiao.engine.pretraining.session import PretrainingSession
        from weitiao.pretraining_settings import PretrainingSettings

        recipe = Recipe.of({**settings, **({} if blank else found)}, PretrainingSettings)
        return PretrainingSession(recipe, observer, folder, again=True, trust_code=trust_task)
    task = tasks.of_run(record, folder.task, trust_task=trust_task)
    called = str(folder.task / task.origin.name) if task.origin else task.name
    return Session(tasks.recipe({**settings, **found, "task": called}), observer, folder)


@overload
def load(
    name: Sequence[str | Path] | Mapping[str, str | Path],
    task: str = "",
    *,
    precision: str = "fp32",
    trust_task: bool = False,
    **settings: Any,
) -> "Runs": ...
@overload
def load(name: str | Path, task: str = "", *, precision: str = "fp32", trust_task: bool = False, **settings: Any) -> Model: ...
def load(
    name: str | Path | Sequence[str | Path] | Mapping[str, str | Path],
    task: str = "",
    *,
    precision: str = "fp32",
    trust_task: bool = False,
    **settings: Any,
) -> "Model | Runs":
    """A finished run, or a pretrained model as it is, ready to evaluate and predict. Its weights are read on first use.

    Args:
        name: a run's folder; a list of them or a dict by name, whose adapters then share one base model in memory (see ``Runs``); or, where
            ``task`` is given, a model: a folder, a hub id, "offline".
        task: what a pretrained model is to do, by name or alias: "ner", "fill-mask", ...; or a task file of your own.
        precision: the number format of its answers. "fp32" as it was measured; "bf16"; "int8", on a CPU and of a run only, where at least
            99% of the answers to held-out rows stay as they are; "auto": "int8" for many rows where that holds, else "fp32".
        trust_task: let a run's own task file run, although it was never named on this machine. Read it first: it is code.
        settings: the task's own settings, ``offline``, ``trust_remote_code``, and for a pretrained model ``revision`` and ``max_length``.

    Raises:
        UsageError: a setting that would change nothing.
        RunError: there is no run, or it was never finished.
        ModelError, NetworkError: the model cannot be had or cannot do the task.
    """
    check_precision(precision)
    if not isinstance(name, (str, Path)):
        return Runs(name, task, settings, trust_task, precision)
    model = _pretrained(str(name), task, settings) if task else _finished_run(name, settings, None, trust_task)
    model.precision = precision
    return model


def _finished_run(name: str | Path, settings: Mapping[str, Any], shared: dict[str, Any] | None, trust_task: bool) -> "Run":
    from weitiao.engine.fitting import open_run

    folder = open_run(name, offline=bool(settings.get("offline")))
    if folder.record().get("status") != "finished":
        message = _("{path} is not finished. Go on with: weitiao train --resume {path}").format(path=name)
        raise RunError(message)
    run = Run(folder, shared, trust_task=trust_task)
    run.name = str(name)  # one from a hub stands in a cache, under a name that says nothing
    recipe = tasks.recipe(settings, run.task)
    check_loading(settings, run.task, pretrained=False)
    given = {name: getattr(recipe.task, name) for name in settings if hasattr(recipe.task, name)}
    if given:
        run.spec = run.task.adjusted(run.spec, given)
    run.options |= given
    run.offline, run.trust_remote_code = recipe.model.offline, recipe.model.trust_remote_code
    return run


def _pretrained(name: str, task_name: str, settings: Mapping[str, Any]) -> Model:
    """A model that is used untrained."""
    from weitiao.engine.pretrained import pretrained

    recipe = tasks.recipe({**settings, "task": task_name, "model": name})
    task = tasks.get(recipe.model.task)
    check_loading(settings, task, pretrained=True)
    spec, load_it = pretrained(task, recipe)
    model = Model(name, task, spec, load_it)
    model.options = {option: getattr(recipe.task, option) for option in options_of(task) if option in settings}
    model.offline = recipe.model.offline
    return model


def _planned(source: str, settings: Mapping[str, Any], observer: Observer) -> "AbstractContextManager[tuple[Session, dict[str, Any]]]":
    """See ``running.prepared``."""
    from weitiao.engine.session import Session

    recipe = tasks.recipe({"data": source, **settings})
    return prepared(recipe, recipe.source.removeprefix("hub:").replace(":", "-"), Session, observer)


class Run(Model):
    """A run folder that can be used.

    Attributes:
        path: the folder.
        folder: the names inside it.

    Args:
        shared: base models in memory that this run may use and add to, see ``Runs``.
        trust_task: see ``load``.
    """

    def __init__(self, folder: RunFolder, shared: dict[str, Any] | None = None, *, trust_task: bool = False) -> None:
        self.path, self._shared = folder.path, shared
        record = folder.record()
        task = tasks.of_run(record, folder.task, trust_task=trust_task)
        # A corpus has no columns; those of a table are found as for a pretrained model.
        plan = None if "pretraining" in record else ColumnPlan.from_dict(record["data"]["plan"], task.inputs, task.outputs)
        super().__init__(str(folder.path), task, record["spec"], self._load_run, plan)
        self.folder: RunFolder = folder
        trained_with = record.get("settings") or {}
        self.options = {name: trained_with[name] for name in options_of(task) if name in trained_with}

    @property
    def record(self) -> dict[str, Any]:
        """run.json."""
        return self.folder.record()

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of the held-out split ({} where there was none)."""
        return dict((self.record.get("evaluation") or {}).get("metrics", {}))

    def evaluate(self, data: str, *, observer: Observer = SILENT, **settings: Any) -> dict[str, Any]:
        """See ``Model.evaluate``. Raises UsageError also for a pretraining by an objective that no file can be measured by."""
        objective = (self.record.get("pretraining") or {}).get("objective", "")
        if objective and objective not in MEASURED:
            message = _(
                "{run} was pretrained by {objective}, which is measured in training alone, on documents that are held out: see weitiao "
                "report {run}. To see what it is worth, fine-tune its model and evaluate that: weitiao train DATA --model {model}"
            )
            raise UsageError(message.format(run=self.path, objective=objective, model=self.folder.model))
        return super().evaluate(data, observer=observer, **settings)

    def write_report(self) -> Path:
        """Write report.html and the model card again, in the language in force."""
        from weitiao import report

        report.write_card(self.folder)
        return report.write_report(self.folder)

    def _load_run(self, spec: Spec) -> "Predictor":
        if is_torch_free(self.record):
            return load_export(self.task, spec, self.folder)
        from weitiao.engine.finished import load_finished

        how: dict[str, Any] = {"offline": self.offline, "trust_remote_code": self.trust_remote_code}
        return load_finished(self.task, spec, self.folder, shared=self._shared, **how)

    def _training_records(self) -> Records | None:
        """The training split, read again for the baselines; None where the data is gone or has changed."""
        from weitiao.data import loading

        record = self.record
        if "pretraining" in record:
            return None
        recipe = tasks.recipe(record["settings"], self.task)
        try:
            loaded = loading.load(recipe.source, recipe.data, self.task.schema(recipe.task), seed=recipe.training.seed, offline=True)
        except WeitiaoError:
            return None
        same = loaded.fingerprints["train"] == record["data"]["splits"]["train"]["fingerprint"]
        return loaded.splits["train"] if same else None

    def _trained_on(self, records: Records, train: Records | None) -> int:
        """Row by row where the training data is there; else all of them where they are the very training split, else none."""
        if train is not None:
            return super()._trained_on(records, train)
        from weitiao.data import loading

        known = self.record["data"]["splits"].get("train")  # a pretraining's corpus is no table
        same = known is not None and loading.fingerprint(records) == known["fingerprint"]
        return len(records) if same else 0


class Runs(Mapping[str, Run]):
    """Several finished runs in one process, by the names of their folders. Adapters of the same base share its weights: it is in memory
    once, however many there are, and answers of one never wait for another to be switched off.

        both = weitiao.load(["runs/tone", "runs/topic"])
        both.predict(["what a lovely day"], run="topic")

    Args:
        names: folders of runs, which are then called as the folders are; or by what they are to be called.
        task, settings, trust_task, precision: as ``load`` has them; a task is for pretrained models, so there must be none.

    Raises:
        UsageError: a task was named, or two folders have one name.
    """

    def __init__(
        self,
        names: Sequence[str | Path] | Mapping[str, str | Path],
        task: str,
        settings: Mapping[str, Any],
        trust_task: bool = False,
        precision: str = "fp32",
    ) -> None:
        if task or not names:
            raise UsageError(_('Several models at once are finished runs: load(["runs/a", "runs/b"]), without a task.'))
        shared: dict[str, Any] = {}
        self._runs: dict[str, Run] = {}
        if isinstance(names, Mapping):
            self._runs = {called: _finished_run(name, settings, shared, trust_task) for called, name in names.items()}
            for run in self._runs.values():
                run.precision = precision
            return
        for name in names:
            run = _finished_run(name, settings, shared, trust_task)
            run.precision = precision
            if run.path.name in self._runs:
                message = _("Two of the runs are called {name}; rename the folder of one.")
                raise UsageError(message.format(name=run.path.name))
            self._runs[run.path.name] = run

    def __getitem__(self, name: str) -> Run:
        if name not in self._runs:
            message = _('There is no run "{name}" among them; there are: {names}.').format(name=name, names=_(", ").join(self._runs))
            raise UsageError(message + nearest(name, list(self._runs)))
        return self._runs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __repr__(self) -> str:
        return f"Runs({[run.name for run in self._runs.values()]!r})"

    def __len__(self) -> int:
        return len(self._runs)

    def predict(self, inputs: Sequence[str | Mapping[str, Any]], *, run: str, **given: Any) -> list[Prediction]:
        """The predictions of one of the runs, see ``Model.predict``."""
        return self[run].predict(inputs, **given)
