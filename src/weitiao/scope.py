"""Which settings mean something to a model in use. What would be accepted and ignored is refused, in Python as on the command line.

It knows the declarations of settings; it knows no model, no run and no file.
"""

from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import TYPE_CHECKING

from weitiao import tasks
from weitiao.config import nearest, setting_fields
from weitiao.errors import UsageError
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.tasks.base import Task

# A run brings its model and its length with it.
ONLY_PRETRAINED = ("revision", "max_length")
READING = ("text_separator", "encoding", "delimiter", "max_bad_rows")
OFFLINE, TRUST = "offline", "trust_remote_code"
PRECISIONS = ("auto", "fp32", "int8", "bf16")  # of answering; training has its own


def options_of(task: "Task") -> tuple[str, ...]:
    """Names of a task's own settings, columns left out."""
    return tuple(one.name for one in fields(task.settings) if not one.metadata["column"])


def columns_of(task: "Task") -> tuple[str, ...]:
    """Names of the settings that name a task's columns.

    >>> columns_of(tasks.get("text-classification"))
    ('text', 'pair', 'label')
    """
    declared = setting_fields(tasks.settings_of(task))
    own = (one.name for one in fields(tasks.settings_of(task)))
    return tuple(name for name in own if declared[name].metadata["column"])


def check_loading(settings: Iterable[str], task: "Task", *, pretrained: bool) -> None:
    """Raises UsageError for settings that mean nothing where a model is loaded: a pretrained one, or a finished run's."""
    names = list(settings)
    needless = [] if pretrained else [name for name in names if name in ONLY_PRETRAINED]
    if needless:
        message = _("{flags} is for a pretrained model, so it needs --task; a run has its own.")
        raise UsageError(message.format(flags=_flags(needless)))
    _refuse(names, (*options_of(task), OFFLINE, TRUST, *(ONLY_PRETRAINED if pretrained else ())))


def check_precision(name: str) -> None:
    """Raises UsageError for a number format that no model answers in."""
    if name not in PRECISIONS:
        message = _("{flag} is {value!r}; it must be one of {choices}.")
        message = message.format(flag="--precision", value=name, choices=_(", ").join(PRECISIONS))
        raise UsageError(message + nearest(str(name), list(PRECISIONS)))


def check_reading(settings: Iterable[str], task: "Task") -> None:
    """Raises UsageError for settings that mean nothing where a finished model reads a file."""
    _refuse(settings, (*columns_of(task), *options_of(task), *READING, OFFLINE))


def as_flag(setting: str) -> str:
    """A setting as it is typed.

    >>> as_flag("max_length")
    '--max-length'
    """
    return "--" + setting.replace("_", "-")


def _refuse(settings: Iterable[str], allowed: Collection[str]) -> None:
    needless = [name for name in settings if name not in allowed]
    if needless:
        message = _("{flags} would change nothing here, so leave it out. What can be set: {allowed}.")
        raise UsageError(message.format(flags=_flags(needless), allowed=_flags(allowed)))


def _flags(settings: Iterable[str]) -> str:
    return _(", ").join(map(as_flag, settings))
