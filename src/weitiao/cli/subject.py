"""What a verb works with: a run, or a pretrained model under a task; and which of the given flags are settings, values or column names.

It reads a run's record, so that a wrong flag is refused before anything heavy is imported; it loads no model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import TYPE_CHECKING, Any

from weitiao import asking, tasks
from weitiao.cli.screen import quoted
from weitiao.config import DataSettings, setting_fields
from weitiao.errors import RunError, UsageError
from weitiao.messages import _
from weitiao.pretraining_settings import MEASURED
from weitiao.runs import RunFolder
from weitiao.scope import as_flag, check_loading, check_precision

if TYPE_CHECKING:
    from weitiao.tasks.base import Task

READING = tuple(field.name for field in fields(DataSettings))


@dataclass(frozen=True)
class Subject:
    """A run or a pretrained model, and what was said about it.

    Attributes:
        name: as it was given.
        task: what it does.
        use_as: the task as it was given; "" for a run.
        trust_task: whether a run's own task file may run wherever it came from.
        precision: the number format as it was given; "" for the default.
        loading: what ``api.load`` takes beside the name, as values of their types.
        columns: flag -> what was given for it, as text: a column of a file, or a value.
        reading: settings that say how a file is read, as values of their types.
        given: all settings, as they were typed.
        evaluation: what a run was measured by; {} of a pretrained model, and where nobody measured.
        measurable: whether ``evaluate`` takes it: not a pretraining by an objective that no file is measured by.
    """

    name: str
    task: "Task"
    use_as: str
    loading: dict[str, Any]
    columns: dict[str, str]
    reading: dict[str, Any]
    trust_task: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    measurable: bool = True

    @property
    def flags(self) -> tuple[str, ...]:
        """What the next command must say again, whatever it is about: the task, and how the model is had and answers."""
        trusting = ("--trust-task",) if self.trust_task else ()
        return (*(("--task", self.use_as) if self.use_as else ()), *self._again(self.loading), *trusting)

    @property
    def reading_flags(self) -> tuple[str, ...]:
        """What the next command must say again where it predicts the same file: how that is read, and which columns are asked."""
        inputs = [one.flag for one in self.task.inputs]
        return self._again([*(name for name in self.columns if name in inputs), *self.reading])

    def _again(self, names: Iterable[str]) -> tuple[str, ...]:
        """Settings that were given, as they are typed."""
        return tuple(chain.from_iterable(_typed_again(name, self.given[name]) for name in names if name in self.given))

    def of_file(self) -> dict[str, Any]:
        """Reading settings and columns for a file."""
        return {**self.reading, **typed(self.columns, self.task)}

    def values(self, *, first: bool) -> dict[str, Any]:
        """Values of the further inputs by field name; with ``first`` also of the first, which otherwise stands before the flags.

        Raises:
            UsageError: a value of the wrong type; a flag that only means something for a file.
        """
        from weitiao.data.values import parser

        inputs = {field.flag: field for field in self.task.inputs[0 if first else 1 :] if field.flag}
        stray = [name for name in (*self.columns, *self.reading) if name not in inputs]
        if stray:
            raise UsageError(_("{flags} says how a file is treated, so it needs --file.").format(flags=_(", ").join(map(as_flag, stray))))
        given = {}
        for name, text in self.columns.items():
            try:
                given[inputs[name].name] = text if inputs[name].type == "text" else parser(inputs[name].type)([text])
            except ValueError as error:
                raise UsageError(_("{flag}: {problem}").format(flag=as_flag(name), problem=error)) from error
        return given

    def asked_by(self, verb: str) -> str:
        """A whole command that asks this, to be shown to somebody who gave no text."""
        text, *rest = asking.words(self.task, {}) if self.use_as else question(self.name, trust_task=self.trust_task)
        further = [word for flag, value in zip(rest[::2], rest[1::2], strict=True) if flag not in self.flags for word in (flag, value)]
        return " ".join(map(quoted, ("weitiao", verb, self.name, text, *further, *self.flags)))

    def asked_again(self, file: str) -> tuple[str, ...]:
        """What stands behind it in a command that predicts a file that it was measured on; or that asks a text, where what can be measured
        need not ask anything (a text without a mask).
        """
        from weitiao.tasks.base import Task  # with numpy, which measuring needed too

        if type(self.task).asked is not Task.asked:
            asked = asking.words(self.task, {}) if self.use_as else question(self.name, trust_task=self.trust_task)
            return (*asked, *self.flags)
        return (*self.flags, "--file", file, *self.reading_flags, "--out", "predictions.csv")

    @property
    def asks_more(self) -> bool:
        """Whether a record needs more than its first input."""
        return any(not field.optional for field in self.task.inputs[1:])


def subject_of(
    name: str, use_as: str | None, settings: Mapping[str, Any], *, precision: str | None = None, trust_task: bool = False
) -> Subject:
    """The run or model, with the given settings (as text) sorted by what they are for.

    Raises:
        RunError: without a task, ``name`` is no run; or it brings a task file that nobody here has let run.
        UsageError: an unknown task, a setting that does not belong here, an impossible value.
    """
    from weitiao.engine.fitting import open_run

    if precision is not None:
        check_precision(precision)
    run = open_run(name, offline=settings.get("offline") is True) if use_as is None else None
    record = run.record() if run is not None else {}
    task = tasks.get(str(use_as)) if run is None else tasks.of_run(record, run.task, trust_task=trust_task)
    values = typed(settings, task)
    columns = {setting: str(settings[setting]) for setting in settings if _names_column(task, setting)}
    reading = {setting: values[setting] for setting in settings if setting in READING}
    loading = {setting: value for setting, value in values.items() if setting not in columns and setting not in reading}
    check_loading(loading, task, pretrained=use_as is not None)
    if use_as is not None:
        loading["task"] = use_as if task.origin else task.name
    if trust_task:
        loading["trust_task"] = True
    given = dict(settings)
    if precision is not None:
        loading["precision"] = given["precision"] = precision
    measurable = (record.get("pretraining") or {}).get("objective") in (None, *MEASURED)
    return Subject(name, task, use_as or "", loading, columns, reading, trust_task, given, record.get("evaluation") or {}, measurable)


def question(run: str, *, trust_task: bool = False) -> list[str]:
    """What stands behind a run in a command that asks it: a text, and a flag for each further input that it needs."""
    folder = RunFolder(run)
    try:
        record = folder.record()
        return asking.words(tasks.of_run(record, folder.task, trust_task=trust_task), record.get("spec") or {})
    except (UsageError, RunError):  # a task file that is not here, or that nobody here has let run
        return [_("your text")]


def _typed_again(setting: str, value: Any) -> tuple[str, ...]:
    """A setting with its value as it is typed; a switch is on or off.

    >>> _typed_again("max_length", 64), _typed_again("multi_label", True), _typed_again("multi_label", False)
    (('--max-length', '64'), ('--multi-label',), ('--no-multi-label',))
    """
    flag = as_flag(setting)
    if isinstance(value, bool):
        return (flag if value else f"--no-{flag[2:]}",)
    return flag, str(value)


def typed(settings: Mapping[str, Any], task: "Task | None" = None) -> dict[str, Any]:
    """The given settings as values of their types. Raises UsageError for an impossible one, or one of another task."""
    flat = tasks.recipe(settings, task).flat()
    return {name: tuple(flat[name]) if isinstance(flat[name], list) else flat[name] for name in settings}


def _names_column(task: "Task", setting: str) -> bool:
    declared = setting_fields(tasks.settings_of(task)).get(setting)
    return declared is not None and bool(declared.metadata["column"])
