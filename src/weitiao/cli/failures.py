"""From any exception to one paragraph, an exit code and, for ``--json``, an object. Knows the exception tree, no verb."""

import errno
import sys
import traceback
from typing import Any, NamedTuple

from rich.text import Text

from weitiao.cli.screen import Screen, closed_up, labelled, to_json
from weitiao.engine.out_of_memory import is_out_of_memory
from weitiao.errors import INTERRUPTED, ResourceError, UsageError, WeitiaoError
from weitiao.messages import _
from weitiao.quantities import one_line
from weitiao.task_files import broken_task_file

NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Failure(NamedTuple):
    """What a person and a script are told.

    Attributes:
        type: the public class name of the error.
        message: one paragraph.
        exit_code: the process's.
        file, row, column: where it is, as far as is known.
    """

    type: str
    message: str
    exit_code: int
    file: str | None = None
    row: int | None = None
    column: str | None = None


def understand(error: BaseException) -> Failure:
    """What an exception means to the person at the keyboard.

    >>> understand(MemoryError()).exit_code, understand(KeyError("x")).exit_code
    (6, 1)
    """
    if isinstance(error, KeyboardInterrupt):
        # Whoever stops in an orderly way says in the exception what was saved and how to go on.
        return Failure("Interrupted", str(error) or _("Interrupted."), INTERRUPTED)
    known = error if isinstance(error, WeitiaoError) else _ours(error)
    if known is None:
        text = _("This is a bug in weitiao: {type}: {message}. Run the command again with --debug, and report what it prints.")
        message = text.format(type=type(error).__name__, message=" ".join(str(error).split()).rstrip("."))
        return Failure(type(error).__name__, message, 1)
    place = {name: getattr(known, name, None) for name in ("file", "row", "column")}
    return Failure(type(known).__name__, known.message, known.exit_code, **place)


def report(error: BaseException, screen: Screen, *, debug: bool) -> int:
    """Tell of an error in the manner that was asked for; the exit code."""
    failure = understand(error)
    if debug and not isinstance(error, KeyboardInterrupt):
        traceback.print_exception(error, file=sys.stderr)
    label = (_("Stopped:"), "bold yellow") if failure.exit_code == INTERRUPTED else (_("Error:"), "bold red")
    # In a file or a pipe the paragraph stays one line, so that it can be searched.
    screen.err.print(Text.assemble(labelled(label), closed_up(failure.message)), soft_wrap=not screen.err.is_terminal)
    if screen.json:
        print(to_json({"error": failure._asdict()}))
    return failure.exit_code


def _ours(error: BaseException) -> WeitiaoError | None:
    """The error of ours that another's exception amounts to, or None where it is a bug."""
    if is_out_of_memory(error):
        text = _("The memory does not suffice. Lower --batch-size, --max-length or --token-budget, or close other programs.")
        return ResourceError(text)
    if isinstance(error, OSError) and error.errno in (*NO_PERMISSION, *NO_SPACE):
        text = _("{path} cannot be used: {reason}. Choose a place that you may read and write.")
        if error.errno in NO_SPACE:
            text = _("{path} cannot be written: {reason}. Free some space and run the command again.")
        return ResourceError(text.format(path=error.filename or _("A file"), reason=error.strerror or error))
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        text = _('"{path}" is too long for the name of a file or folder. Is it a text? It goes after the run: weitiao predict RUN "text".')
        return UsageError(text.format(path=one_line(str(error.filename or error), 60)))
    if isinstance(error, ModuleNotFoundError) and error.name:
        extra = _extra_of(error.name.split(".")[0])
        if extra:
            text = _('This needs the package {package}, which is not installed. Install it with: pip install "weitiao[{extra}]"')
            return UsageError(text.format(package=error.name.split(".")[0], extra=extra))
    return broken_task_file(error)


def _extra_of(module: str) -> str:
    """The extra of weitiao that brings a module, or ''."""
    from weitiao.doctor.packages import extra_of

    return extra_of(module)


def quiet_about_broken_pipes() -> None:
    """After a reader such as ``head`` has gone: keep Python from complaining when it flushes standard output at exit."""
    import os

    nowhere: Any = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
