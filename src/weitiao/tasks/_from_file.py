"""Tasks from files of somebody's own: judged before they are used, and found again in a run. It knows the protocol and no concrete task.

Naming a file is trusting it. A file that came with a run is trusted where this machine's user has named the same file before, or says so.
"""

import dataclasses
import hashlib
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from weitiao import task_files, trust
from weitiao.config import TaskSettings, setting_fields
from weitiao.errors import RunError, UsageError
from weitiao.fields import Field
from weitiao.messages import _
from weitiao.task_files import TaskFile
from weitiao.tasks.base import Headline, Task

NEEDED = ("name", "summary", "inputs", "outputs", "headline", "example")
OVERRIDDEN = ("head", "encode", "decode", "score", "columns", "flat")
_NAME = re.compile(r"[^\W_][\w-]*")


def load(path: Path, taken: Collection[str]) -> Task:
    """The task of a file that the user names, which lets it run.

    Args:
        taken: names that it may not have.

    Raises:
        UsageError: the file is missing, broken, or holds no whole task.
    """
    task_file = task_files.read(path)
    task = _task(task_file, path.parent, taken)
    trust.remember(task_file.sums)
    return task


def refuse_strange(path: Path) -> None:
    """Raises UsageError for a file that was never named on this machine: settings that come from a file may be anybody's."""
    task_file = task_files.read(path)
    strange = trust.unknown(task_file.sums)
    if strange:
        message = _(
            "The config file names the task file {file}. It is code (sha256 {digest}) that was never named on this machine, or that has "
            "changed. Read it; if you trust it, add: --task {path}"
        )
        raise UsageError(message.format(file=strange[0], digest=task_file.sums[strange[0]], path=path))


def from_run(kept: Any, folder: Path, taken: Collection[str], *, trusted: bool) -> Task:
    """The task whose file was kept in a run.

    Args:
        kept: what run.json says of it: {"name": the task file's, "sha256": {name: digest}}.
        folder: where its files are.
        taken: names that it may not have.
        trusted: whether the user trusts it, wherever it came from.

    Raises:
        RunError: a file is missing or not what run.json says, or nobody here has let it run.
        UsageError: it holds no whole task.
    """
    task_file = _kept(kept, folder)
    strange = trust.unknown(task_file.sums)
    # What already runs in this process was trusted when it was loaded.
    if strange and not trusted and task_file.package not in sys.modules:
        message = _(
            "This run brings a task file of its own, {file} (sha256 {digest}), which was never named on this machine. It is code and would "
            "run with all your rights. Read it; if you trust it, add --trust-task (in Python: trust_task=True)."
        )
        raise RunError(message.format(file=folder / strange[0], digest=task_file.sums[strange[0]]))
    return _task(task_file, folder, taken)


def _kept(kept: Any, folder: Path) -> TaskFile:
    """The files as run.json names them, each with the content that it promises."""
    try:
        name, sums = str(kept["name"]), {str(file): str(digest) for file, digest in kept["sha256"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(_("{folder}: run.json does not say which task file it was. Copy the run again.").format(folder=folder)) from error
    files = {}
    for file, digest in sums.items():
        # run.json may be anybody's: no name in it leads out of the folder.
        plain = Path(file).name == file and "\\" not in file and task_files.is_task_file(file)
        path = folder / file
        content = path.read_bytes() if plain and path.is_file() and not path.is_symlink() else None
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            message = _(
                "{file} is missing or not the file that this run was trained with (sha256 {digest}), so it is not run. Copy the run again, "
                "or train anew with --task."
            )
            raise RunError(message.format(file=path, digest=digest))
        files[file] = content
    if name not in files:
        raise RunError(_("{folder}: run.json does not say which task file it was. Copy the run again.").format(folder=folder))
    return TaskFile(name, files)


def _task(task_file: TaskFile, folder: Path, taken: Collection[str]) -> Task:
    task = getattr(task_files.run(task_file, folder), "task", None)
    _judge(task, task_file.name, taken)
    task.origin = task_file  # type: ignore[union-attr]
    return task  # type: ignore[return-value]


def _judge(task: Any, file: str, taken: Collection[str]) -> None:
    """Raises UsageError for what is no task, or not a whole one: better now than in the middle of a training."""
    if task is None:
        raise UsageError(_("{file} defines no task. Write as its last line: task = MyTask()").format(file=file))
    kind = type(task)
    if not isinstance(task, Task):
        found = f"{task.__name__} (class)" if isinstance(task, type) else kind.__name__
        message = _("{file}: task is {kind}; it must be an instance of a class made from weitiao.tasks.base.Task: task = MyTask()")
        raise UsageError(message.format(file=file, kind=found))
    lacking = [name for name in NEEDED if not hasattr(task, name)]
    lacking += [f"{name}()" for name in OVERRIDDEN if getattr(kind, name) is getattr(Task, name)]
    if lacking:
        message = _("{file}: {kind} lacks {names}. To see a whole task, type: weitiao new example.py --like text-classification")
        raise UsageError(message.format(file=file, kind=kind.__name__, names=_(", ").join(lacking)))
    if task.name in taken:
        message = _('{file}: the name "{name}" is taken by a task of weitiao itself. Give yours another: name = "my-{name}"')
        raise UsageError(message.format(file=file, name=task.name))
    for name, fits, wanted in _declared(task):
        if not fits:
            message = _("{file}: {name} is {value!r}; it must be {wanted}.")
            raise UsageError(message.format(file=file, name=name, value=getattr(task, name), wanted=wanted))


def _declared(task: Task) -> list[tuple[str, bool, str]]:
    """Attributes, whether each is what it must be, and what that is."""
    fields = [isinstance(each, tuple) and all(isinstance(one, Field) for one in each) for each in (task.inputs, task.outputs)]
    own = isinstance(task.settings, type) and issubclass(task.settings, TaskSettings)
    declared = dataclasses.fields(task.settings) if own else ()
    flags = [one.flag for one in (*task.inputs, *task.outputs) if one.flag] if all(fields) else []
    names = [*flags, *(one.name for one in declared)]
    free = len(names) == len(set(names)) and not set(names) & {"data", *setting_fields()}
    return [
        ("name", isinstance(task.name, str) and _NAME.fullmatch(task.name) is not None, _('a name such as "my-task"')),
        ("summary", isinstance(task.summary, str), _("a text")),
        ("inputs", fields[0] and bool(task.inputs), _("a tuple of weitiao.fields.Field")),
        ("outputs", fields[1], _("a tuple of weitiao.fields.Field")),
        ("headline", isinstance(task.headline, Headline), 'Headline("accuracy", "max")'),
        ("example", isinstance(task.example, Mapping), _("a record, as a dict")),
        (
            "settings",
            own and all("column" in one.metadata for one in declared),
            _("a subclass of weitiao.config.TaskSettings whose fields are made with setting(...)"),
        ),
        ("settings", free, _("free of names that are taken, by weitiao's own settings or by the fields' flags")),
    ]
