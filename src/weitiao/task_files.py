"""A task in a Python file of somebody's own, with the files beside it that it imports: found, read, run.

It knows Python files; it does not know what a task is, nor whether a file may be run (``trust``). Everything that will run is known before
anything runs: the imports are read from the text.
"""

import ast
import hashlib
import importlib
import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from weitiao.errors import UsageError
from weitiao.messages import _

ENDING = ".py"
_PREFIX = "weitiao_task_"


def is_task_file(name: str) -> bool:
    """Whether a task was named by its file.

    >>> is_task_file("my_task.py"), is_task_file("text-classification")
    (True, False)
    """
    return name.lower().endswith(ENDING)


def module_name(path: Path) -> str:
    """A file's name as Python can import it: its own where that will do.

    >>> module_name(Path("my_task.py")), module_name(Path("my.task.py")), module_name(Path("2nd try.py")), module_name(Path("class.py"))
    ('my_task', 'my_task', 'task_2nd_try', 'class_task')
    """
    name = path.stem
    if not name.isidentifier():
        name = re.sub(r"\W+", "_", name).strip("_") or "my_task"
    if not name.isidentifier():  # it begins with a digit
        name = f"task_{name}"
    return f"{name}_task" if keyword.iskeyword(name) else name


def bad_name(path: Path) -> UsageError:
    """What to say of a name that Python cannot import."""
    message = _(
        "{file}: Python cannot import a file of that name. Use letters, digits and underscores, no digit first, and no word of Python's "
        "own, as in {better}"
    )
    return UsageError(message.format(file=path, better=path.with_name(module_name(path) + ENDING)))


@dataclass(frozen=True)
class TaskFile:
    """A task file and those beside it that it imports, as they were read.

    Attributes:
        name: of the task file itself.
        files: every file's content by its name.
    """

    name: str
    files: Mapping[str, bytes]

    @cached_property
    def sums(self) -> dict[str, str]:
        """The sha256 of every file, by its name."""
        return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(self.files.items())}

    @cached_property
    def package(self) -> str:
        """Where its modules stand in ``sys.modules``: other content, or another name, is another package."""
        lines = [self.name, *(f"{digest} {name}" for name, digest in self.sums.items())]
        return _PREFIX + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def read(path: Path) -> TaskFile:
    """A task file and everything that it imports with a leading dot (``from .model import Network``), from its own folder.

    Raises:
        UsageError: a file is missing or is no Python, or has a name that none can have, or an import that a run could not take along.
    """
    if "." in path.stem:  # a dot in a module's name is a folder's end
        raise bad_name(path)
    if not path.is_file():
        message = _('There is no task file "{file}". Write one to start from: weitiao new {file} --like text-classification')
        raise UsageError(message.format(file=path))
    files: dict[str, bytes] = {}
    waiting = [path.name]
    while waiting:
        name = waiting.pop()
        if name not in files:
            files[name] = (path.parent / name).read_bytes()
            waiting += _imported(path.parent, name, files[name])
    return TaskFile(path.name, files)


def run(task_file: TaskFile, folder: Path) -> ModuleType:
    """The task file as a module: run once for each content, from what was read and not from the disk.

    Args:
        folder: where it was read, for messages and tracebacks.

    Raises:
        UsageError: an exception inside the files; the message says where.
    """
    package = task_file.package
    main = f"{package}.{Path(task_file.name).stem}"
    if main in sys.modules:
        return sys.modules[main]
    finder = _InMemory(task_file, folder)
    sys.meta_path.append(finder)
    sys.modules[package] = parent = ModuleType(package)
    parent.__path__ = []  # a package, so that a leading dot means the files beside
    try:
        return importlib.import_module(main)
    except (Exception, SystemExit) as error:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[name]
        raise broken_task_file(error) or _broken(task_file.name, 1, error) from error


def broken_task_file(error: BaseException) -> UsageError | None:
    """What to say of an exception that came out of a task file while it was used; None where no task file had a part in it."""
    place = None
    for frame, line in walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__", "")).startswith(_PREFIX):
            place = (Path(frame.f_code.co_filename).name, line)
    return _broken(*place, error) if place else None


def _broken(file: str, line: int, error: BaseException) -> UsageError:
    message = _("{file}, line {line}: {kind}: {error}. Correct the file; --debug shows the whole traceback.")
    reason = " ".join(str(getattr(error, "msg", None) or error).split()).rstrip(".")
    return UsageError(message.format(file=file, line=line, kind=type(error).__name__, error=reason))


def _imported(folder: Path, name: str, content: bytes) -> Iterator[str]:
    """Names of the files beside a file that it imports."""
    try:
        tree = ast.parse(content, name)
    except (SyntaxError, ValueError) as error:
        raise _broken(name, getattr(error, "lineno", None) or 1, error) from error
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from _beside(folder, name, node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for module in (module.split(".")[0] for module in modules):
                if module not in sys.stdlib_module_names and (folder / f"{module}{ENDING}").is_file():
                    message = _(
                        "{file}, line {line}: {module}.py stands beside it and is imported without a dot, so no run could take it along. "
                        "Write: from .{module} import ..."
                    )
                    raise UsageError(message.format(file=name, line=node.lineno, module=module))


def _beside(folder: Path, name: str, node: ast.ImportFrom) -> Iterator[str]:
    """The files that one import with a leading dot means."""
    for module in [node.module] if node.module else [alias.name for alias in node.names]:
        file = f"{module}{ENDING}"
        if node.level > 1 or "." in module or not (folder / file).is_file():
            message = _(
                "{file}, line {line}: {module} is not a file beside it. A dot means the folder of the task file, and a run takes along "
                "only what stands there."
            )
            raise UsageError(message.format(file=name, line=node.lineno, module="." * node.level + module))
        yield file


class _InMemory(MetaPathFinder, Loader):
    """Finds the modules of one task file's package, and no others."""

    def __init__(self, task_file: TaskFile, folder: Path) -> None:
        self._files = {f"{task_file.package}.{Path(name).stem}": (name, content) for name, content in task_file.files.items()}
        self._folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """See ``importlib``."""
        if name not in self._files:
            return None
        spec = ModuleSpec(name, self, origin=str(self._folder / self._files[name][0]))
        spec.has_location = True  # gives the module its __file__
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """See ``importlib``."""
        code = compile(self._files[module.__name__][1], str(module.__file__), "exec")
        exec(code, module.__dict__)

    def get_source(self, name: str) -> str:
        """The text that runs, which tracebacks show even where the file has changed since."""
        return self._files[name][1].decode("utf-8", errors="replace")
