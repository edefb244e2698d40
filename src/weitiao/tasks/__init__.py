"""The registry of tasks is this folder: a file named ``my_task.py`` is the task "my-task". Nothing lists them by hand."""

import pkgutil
from functools import cache
from importlib import import_module

from weitiao.config import nearest
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
