"""A prepared session carried to its end, whichever kind it is: the run's record is closed, whatever happens, and its card is written.

It knows sessions by what they can do (``plan``, ``begin``, ``fit``), run folders, and of the settings where a run goes.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from weitiao import __version__, trust
from weitiao.config import Recipe
from weitiao.errors import INTERRUPTED, WeitiaoError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import RunFolder


@contextmanager
def prepared(
    recipe: Recipe, name: str, make: Callable[[Recipe, Observer, RunFolder], Any], observer: Observer
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A session with everything done that comes before the first write, and its plan, which the observer has heard.

    Args:
        name: what the run is called where the recipe does not say.
        make: makes the session.
    """
    folder = RunFolder(recipe.output.out or free_place(name))
    folder.check_free(overwrite=recipe.output.overwrite)
    session = make(recipe, observer, folder)
    try:
        plan = session.plan()
        observer.planned(plan)
        yield session, plan
    finally:
        session.close()


def carry_out(session: Any, folder: RunFolder, observer: Observer, command: Sequence[str]) -> None:
    """Make the run's folder and train to the end.

    Args:
        command: the command line to record; the running process's where it is empty.
    """
    folder.create(overwrite=session.recipe.output.overwrite)
    if name := session.recipe.model.trust_remote_code:
        trust.remember(trust.repository(name))  # so that the run can be resumed here without being asked again
    session.begin({"weitiao": __version__, "name": folder.path.name, "started": _now(), "command": list(command or sys.argv)})
    finish(session, folder, observer)


def finish(session: Any, folder: RunFolder, observer: Observer) -> None:
    """Train to the end and close the run's record, whatever happens."""
    folder.update(status="running", exit_code=None)
    try:
        session.fit()
        folder.update(status="finished", exit_code=0, ended=_now())
    except KeyboardInterrupt:
        folder.update(status="interrupted", exit_code=INTERRUPTED, ended=_now())
        observer.note(_("Interrupted. The state is saved; go on with: weitiao train --resume {path}").format(path=folder.path))
        raise
    except BaseException as error:
        # The disk may be what failed: the first error is the one to show.
        with suppress(WeitiaoError):
            folder.update(status="failed", exit_code=getattr(error, "exit_code", 1), ended=_now())
        raise
    session.trainer.job.store.remove()
    _describe(folder, observer)


def free_place(name: str) -> Path:
    """runs/NAME, with a number where that is taken."""
    stem = Path(name).stem or "run"
    path = Path("runs") / stem
    number = 2
    while path.exists():
        path = Path("runs") / f"{stem}-{number}"
        number += 1
    return path


def _describe(folder: RunFolder, observer: Observer) -> None:
    """Write the card and the report of a finished run. What goes wrong with them is said and spoils no model."""
    from weitiao import report

    try:
        report.write_card(folder)
        report.write_report(folder)
    except Exception as error:  # they are drawn from whatever a task's figures hold, by libraries of others
        message = _("The model is finished, but its card and report could not be written: {error}. Try again: weitiao report {run}")
        observer.warn(message.format(error=f"{type(error).__name__}: {error}".rstrip("."), run=folder.path))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
