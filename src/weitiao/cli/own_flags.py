"""Flags that only a task file of somebody's own declares: taken out of the words before Typer parses them, since the command line is made
from the tasks of weitiao itself. It knows declarations and no verb.
"""

import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from weitiao import tasks
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.runs import RunFolder
from weitiao.task_files import is_task_file

if TYPE_CHECKING:
    from weitiao.tasks.base import Task


def take_own_flags(words: Sequence[str], known: Collection[str]) -> tuple[list[str], dict[str, Any]]:
    """The words without the flags that only the command's task file declares, and those flags' values by setting, as text.

    Args:
        words: of a command, without its verb.
        known: flags that the verb has.

    Raises:
        UsageError: a flag without its value; a task file that cannot be used.
        RunError: a run's task file that nobody here has let run.
    """
    end = list(words).index("--") if "--" in words else len(words)
    own = _flags(_task_of(words[:end]), known)
    rest: list[str] = []
    given: dict[str, Any] = {}
    waiting = iter(words[:end])
    for word in waiting:
        flag, equals, value = word.partition("=")
        if flag not in own:
            rest.append(word)
            continue
        name, switch = own[flag]
        if switch is not None:
            given[name] = switch
            continue
        behind = value if equals else next(waiting, None)
        if behind is None:
            raise UsageError(_("{name} needs a value behind it.").format(name=flag))
        given[name] = behind
    return [*rest, *words[end:]], given


def _task_of(words: Sequence[str]) -> "Task | None":
    """The task of a file that is named by --task, or that a run among the words keeps; None for the tasks of weitiao itself."""
    for word, after in pairwise([*words, ""]):
        named = after if word == "--task" else word.removeprefix("--task=") if word.startswith("--task=") else ""
        if is_task_file(named):
            return tasks.get(named) if Path(named).is_file() else None  # the verb says best what is wrong with it
    for word in words:
        run = RunFolder(word)
        # Not Path.is_file: a text that somebody wants predicted may be too long for a path.
        if not word.startswith("-") and os.path.isfile(run.record_file) and (record := run.record()).get("task_file"):
            return tasks.of_run(record, run.task, trust_task="--trust-task" in words)
    return None


def _flags(task: "Task | None", known: Collection[str]) -> Mapping[str, tuple[str, bool | None]]:
    """Flag -> the setting, and for a switch what it says."""
    flags: dict[str, tuple[str, bool | None]] = {}
    if task is None:
        return flags
    own = tasks.settings_of(task)
    hints = get_type_hints(own)
    for declared in dataclasses.fields(own):
        flag = declared.name.replace("_", "-")
        if f"--{flag}" in known:
            continue
        if hints[declared.name] is bool:
            flags |= {f"--{flag}": (declared.name, True), f"--no-{flag}": (declared.name, False)}
        else:
            flags[f"--{flag}"] = (declared.name, None)
    return flags
