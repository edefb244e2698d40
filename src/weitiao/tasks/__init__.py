"""The registry of tasks is this folder: a file named ``my_task.py`` is the task "my-task". Nothing lists them by hand. Names that begin
with an underscore are no tasks. Here alone a task is found: by its name, by a file of the user's own, or by the run that it made.
"""

import dataclasses
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.config import ModelSettings, Recipe, nearest, setting, setting_fields
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.task_files import is_task_file

if TYPE_CHECKING:
    # Protocol and tasks are written in numpy: they are imported when the first of them is asked for, so that help is instant.
    from weitiao.tasks.base import Task


@cache
def all_tasks() -> dict[str, "Task"]:
    """Every task of this folder by name, in alphabetical order."""
    modules = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base" and not m.name.startswith("_"))
    tasks: list[Task] = [import_module(f"{__name__}.{module}").task for module in modules]
    return {task.name: task for task in tasks}


def get(name: str) -> "Task":
    """The task of that name or alias, or of the file that is named. Naming a file lets it run.

    >>> get("sentiment-analysis").name
    'text-classification'

    Raises:
        UsageError: there is none, and the message names the nearest; or the file cannot be used.
    """
    if not is_task_file(name):
        return _built_in(name)
    from weitiao.tasks import _from_file

    return _from_file.load(Path(name), names())


def of_run(record: Mapping[str, Any], folder: Path, *, trust_task: bool = False) -> "Task":
    """The task that a run was made with.

    Args:
        record: run.json.
        folder: where the run keeps a task file, if it was made with one.
        trust_task: let that file run although nobody here has named it before.

    Raises:
        RunError: the file is not what run.json says, or nobody here has let it run.
        UsageError: there is no such task.
    """
    kept = record.get("task_file")
    if kept is None:
        return _built_in(str(record.get("task")))
    from weitiao.tasks import _from_file

    # A record may be anybody's: a file that it names elsewhere is never run.
    return _from_file.from_run(kept, folder, names(), trusted=trust_task)


def refuse_strange(name: str) -> None:
    """Raises UsageError for a task file that a config file names and that nobody here has named before."""
    if is_task_file(name):
        from weitiao.tasks import _from_file

        _from_file.refuse_strange(Path(name))


def _built_in(name: str) -> "Task":
    wanted = name.replace("_", "-")
    if wanted in {module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)} - {"base"} and not wanted.startswith("-"):
        # One file: an export answers before all of them could be read.
        task: Task = import_module(f"{__name__}.{wanted.replace('-', '_')}").task
        return task
    known = names()
    if wanted not in known:
        message = _('There is no task "{name}".').format(name=name) + nearest(wanted, list(known))
        raise UsageError(message + " " + _("There are: {names}.").format(names=_(", ").join(sorted(all_tasks()))))
    return known[wanted]


@cache
def names() -> dict[str, "Task"]:
    """Every task by its name and by each of its aliases."""
    return {alias: task for task in all_tasks().values() for alias in (task.name, *task.aliases)}


@cache
def settings_of(task: "Task") -> type:
    """A task's own settings: one for the column of each field that has a flag, and its options."""
    columns = [(field.flag, tuple[str, ...], setting((), field.title, column=True)) for field in task.fields.values() if field.flag]
    return dataclasses.make_dataclass(f"{type(task).__name__}Settings", columns, bases=(task.settings,), frozen=True)


def recipe(values: Mapping[str, Any], task: "Task | None" = None) -> Recipe:
    """All settings from flat names, those of the named task among them.

    >>> recipe({"text": "title,body", "epochs": 2}).task.text
    ('title', 'body')

    Args:
        values: settings by name.
        task: the task, where it is known already; what ``values`` call it is then not looked up.

    Raises:
        UsageError: an unknown name or an impossible value; a name that only another task knows is told whose it is.
    """
    called = str(values.get("task") or (task.name if task else ModelSettings().task))
    task = task or get(called)
    own = settings_of(task)
    known = setting_fields(own)
    for name in (name for name in values if name not in known and name != "data"):
        others = [other.name for other in all_tasks().values() if name in setting_fields(settings_of(other))]
        if others:
            message = _("--{flag} does not belong to {task}; it belongs to {others}. Say which is meant, for example --task {first}")
            flag = name.replace("_", "-")
            raise UsageError(message.format(flag=flag, task=task.name, others=_(", ").join(others), first=others[0]))
    return Recipe.of({**values, "task": called}, own)
