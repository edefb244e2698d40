"""Task files to start from: what ``weitiao new`` writes. One that stands beside this file under a task's name is its starter; every other
task gets a class made from its own. Behind either stands all that a task may say, commented out.

It knows the protocol's text and no concrete task.
"""

import ast
import inspect
import re
from pathlib import Path
from textwrap import indent

from weitiao import asking, tasks
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.runs import write_text
from weitiao.task_files import ENDING, bad_name, is_task_file, module_name
from weitiao.tasks.base import Task

_END = "\n\n\ntask = MyTask()\n"
_NAME = 'name = "my-task"'
_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)  # words that a shell takes as they are


def write_starter(path: str, like: str, *, overwrite: bool = False) -> Task:
    """Write a task file that runs as it stands and that people change into their own; the task that it is like.

    Args:
        path: a file that ends in .py.
        like: a task of weitiao itself, by name or alias.
        overwrite: replace what stands there.

    Raises:
        UsageError: another ending, a name that Python cannot import, no such folder, something stands there, or there is no such task.
        ResourceError: the file cannot be written.
    """
    file = Path(path)
    if not is_task_file(path):
        raise UsageError(_("{file} must end in .py, as in: weitiao new my_task.py --like {like}").format(file=path, like=like))
    if module_name(file) != file.stem:
        raise bad_name(file)
    if is_task_file(like):
        message = _("--like takes a task of weitiao itself ({names}); a file of your own can simply be copied.")
        raise UsageError(message.format(names=_(", ").join(tasks.all_tasks())))
    task = tasks.get(like)
    if not file.parent.is_dir():
        raise UsageError(_("There is no folder {folder}. Make it first, or choose another place.").format(folder=file.parent))
    if file.is_dir() or (file.exists() and not overwrite):
        message = _("{file} exists already. Choose another name, or replace it with --overwrite.")
        raise UsageError(message.format(file=path))
    write_text(file, starter(task, file))
    return task


def starter(task: Task, file: Path) -> str:
    """The text of a task file like ``task``, to be written to ``file``."""
    special = Path(__file__).with_name(f"{task.name.replace('-', '_')}{ENDING}")
    text = special.read_text(encoding="utf-8") if special.is_file() else _plain(task)
    tree = ast.parse(text)
    mine = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "MyTask")
    written = {node.name for node in mine.body if isinstance(node, ast.FunctionDef)}
    code = "".join(text.splitlines(keepends=True)[tree.body[0].end_lineno :])  # behind the docstring, which the header replaces
    code = code.removesuffix(_END).replace(_NAME, f'name = "{_name(file)}"', 1)
    return f'"""{_header(task, file)}"""\n{code}\n\n{_commented(written)}{_END}'


def _plain(task: Task) -> str:
    """A class made from the task's own, with nothing in it yet."""
    kind = type(task)
    return f'''"""The starter of {task.name}."""

from {kind.__module__} import {kind.__name__}


class MyTask({kind.__name__}):
    """{inspect.getdoc(kind)}"""

    {_NAME}
    summary = "{task.summary}"
    # max_length = {task.max_length}  # tokens of a text; all attributes stand in weitiao.tasks.base.Task{_END}'''


def _header(task: Task, file: Path) -> str:
    """What the file is and what to type, in the language in force."""
    name = file.as_posix().replace('"', "'").replace("\\", "/")
    lines = [_("The task {task}, to be changed into one of your own. As it stands, it runs:").format(task=task.name), ""]
    lines += ["    " + " ".join(word if _PLAIN.fullmatch(word) else f'"{word}"' for word in words) for words in commands(task, name)]
    if task.trainable:
        lines += [
            "",
            _("A run keeps a copy of this file, and of the files beside it that it imports with a dot: from .model import Network"),
        ]
    return "\n".join([*lines, ""])


def commands(task: Task, file: str) -> list[tuple[str, ...]]:
    """What to type with a starter, each as its words: check, train and ask; or where there is nothing to train, check and ask.

    >>> [" ".join(words) for words in commands(tasks.get("question-answering"), "mine.py")][2]
    'weitiao predict runs/mine your question --context your context'
    """
    chosen, check, asked = ("--task", file), ("weitiao", "check", "DATA", "--task", file), asking.words(task, {})
    if task.trainable:
        return [check, ("weitiao", "train", "DATA", *chosen, "--out", "runs/mine"), ("weitiao", "predict", "runs/mine", *asked)]
    return [check, ("weitiao", "predict", "MODEL", *asked, *chosen)]


def _name(file: Path) -> str:
    """What the task is called: after its file, and like no task of weitiao itself.

    >>> _name(Path("my_task.py")), _name(Path("regression.py"))
    ('my-task', 'my-regression')
    """
    name = re.sub(r"[\W_]+", "-", file.stem).strip("-") or "my-task"
    return f"my-{name}" if name in tasks.names() else name


def _commented(written: set[str]) -> str:
    """Every method that a task may override and that the starter does not, with what it is for, commented out."""
    lead = "    # Whatever else a task may say. Take away the mark before a method and change what it returns."
    methods = [_method(name, value) for name, value in vars(Task).items() if inspect.isfunction(value) and name not in written]
    return "\n\n".join([lead, *(indent(method, "    # ", lambda line: True).replace("# \n", "#\n") for method in methods)])


def _method(name: str, function: object) -> str:
    """A method that does what it would do anyway.

    >>> print(_method("plain", Task.plain).splitlines()[-1])
        return super().plain(record)
    """
    parameters = list(inspect.signature(function).parameters.values())[1:]  # type: ignore[arg-type]
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    places = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    taken = ", ".join(["self", *places, *(["*", *keywords] if keywords else [])])
    given = ", ".join([*places, *(f"{keyword}={keyword}" for keyword in keywords)])
    about = indent((inspect.getdoc(function) or "").rstrip(), "    ").lstrip()
    quotes = '\n    """' if "\n" in about else '"""'
    return f'def {name}({taken}):\n    """{about}{quotes}\n    return super().{name}({given})'
