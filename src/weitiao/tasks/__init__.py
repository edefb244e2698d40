"""The registry of tasks is this folder: a file named ``my_task.py`` is the task "my-task". Nothing lists them by hand."""

import dataclasses
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from weitiao.config import ModelSettings, Recipe, nearest, setting, setting_fields
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.tasks.base import Task


@cache
def all_tasks() -> dict[str, Task]:
    """Every task of this folder by name, in alphabetical order."""
    modules = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base")
    tasks: list[Task] = [import_module(f"{__name__}.{module}").task for module in modules]
    return {task.name: task for task in tasks}


def get(name: str) -> Task:
    """The task of that name or alias.

    >>> get("sentiment-analysis").name
    'text-classification'

    Raises:
        UsageError: there is none; the message names the nearest.
    """
    tasks = all_tasks()
    names = {alias: task for task in tasks.values() for alias in (task.name, *task.aliases)}
    wanted = name.replace("_", "-")
    if wanted not in names:
        message = _('There is no task "{name}"; there are: {names}.').format(name=name, names=", ".join(sorted(names)))
        raise UsageError(message + nearest(wanted, list(names)))
    return names[wanted]


@cache
def settings_of(task: Task) -> type:
    """A task's own settings: one for the column of each field that has a flag, and its options."""
    columns = [(field.flag, tuple[str, ...], setting((), field.title, column=True)) for field in task.fields.values() if field.flag]
    return dataclasses.make_dataclass(f"{type(task).__name__}Settings", columns, bases=(task.settings,), frozen=True)


def recipe(values: Mapping[str, Any]) -> Recipe:
    """All settings from flat names, those of the named task among them.

    >>> recipe({"text": "title,body", "epochs": 2}).task.text
    ('title', 'body')

    Raises:
        UsageError: an unknown name or an impossible value; a name that only another task knows is told whose it is.
    """
    task = get(str(values.get("task") or ModelSettings().task))
    own = settings_of(task)
    known = setting_fields(own)
    for name in values:
        others = [other.name for other in all_tasks().values() if name in setting_fields(settings_of(other))]
        if name not in known and name != "data" and others:
            message = _("--{flag} does not belong to {task}; it belongs to {others}. Say which is meant, for example --task {first}")
            flag = name.replace("_", "-")
            raise UsageError(message.format(flag=flag, task=task.name, others=", ".join(others), first=others[0]))
    return Recipe.of(values, own)
