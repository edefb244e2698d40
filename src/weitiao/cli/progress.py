"""The command line's observers: one that draws, one that only remembers. They know the observer's calls and no work. What
is drawn in bars and tables is imported with the first of them: an export answers before there is any."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rich.text import Text

from weitiao.cli.screen import Screen, closed_up, labelled
from weitiao.messages import N_, _
from weitiao.observer import Observer

if TYPE_CHECKING:
    from rich.console import Console

    from weitiao.cli.bars import Bars, Lines

LOADING = N_("Loading the model …")  # which takes seconds before anything else can be seen


class Recorder(Observer):
    """Says nothing and remembers what a verb wants to tell at the end. It is open while its ``with`` block runs.

    Args:
        unsaved: what an interrupt comes to that nobody says anything about.
    """

    def __init__(self, unsaved: str = "") -> None:
        self.check: Mapping[str, Any] = {}
        self.columns: Mapping[str, Any] = {}
        self.ledger: Mapping[str, int] = {}
        self._of_interrupt = unsaved

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt) and not error.args and self._of_interrupt:
            error.args = (self._of_interrupt,)

    def note(self, text: str) -> None:
        """Keeps what is said of an interrupt on its way: it is told once, at the end, whatever the manner."""
        if isinstance(sys.exception(), KeyboardInterrupt):
            self._of_interrupt = text
        else:
            self._tell(text)

    def _tell(self, text: str) -> None:
        """A note for people."""

    def checked(self, check: Mapping[str, Any], plan: Mapping[str, Any], ledger: Mapping[str, int]) -> None:
        """Remembers the check."""
        self.check, self.columns, self.ledger = check, plan, ledger


class TerminalObserver(Recorder):
    """Draws on standard error: bars and tables.

    Args:
        screen: whose standard error.
        results: True for a verb that prints the check and the plan itself, as its result, on standard output.
        first: what is said at once where no spinner turns.
        unsaved: see ``Recorder``.
        clock: seconds; a test brings its own.
    """

    def __init__(
        self, screen: Screen, *, results: bool = False, first: str = "", unsaved: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(unsaved)
        self._console, self._results, self._first = screen.err, results, first
        self._bars = _bars(screen.err) if screen.err.is_terminal else None
        self._clock = clock

    @cached_property
    def _lines(self) -> "Lines":
        from weitiao.cli.bars import Lines

        return Lines(lambda line: self._say(Text(line)), self._clock)

    def __enter__(self) -> "TerminalObserver":
        if self._bars is not None:
            self._bars.start()
        elif self._first:
            self.note(self._first)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._bars is not None:
            self._bars.stop()
        super().__exit__(kind, error, trace)

    def _tell(self, text: str) -> None:
        """A line, above the bars."""
        self._say(Text(closed_up(text)))

    def warn(self, text: str) -> None:
        """A line with a yellow mark, above the bars."""
        self._say(Text.assemble(labelled((_("Note:"), "bold yellow")), closed_up(text)))

    def checked(self, check: Mapping[str, Any], plan: Mapping[str, Any], ledger: Mapping[str, int]) -> None:
        """The check as tables, unless the verb prints them itself."""
        super().checked(check, plan, ledger)
        self._settle()
        if not self._results:
            from weitiao.cli import tables

            self._print(*tables.checked(check, plan, ledger))

    def planned(self, plan: Mapping[str, Any]) -> None:
        """The training plan as a table, unless the verb prints it itself."""
        self._settle()
        if not self._results:
            from weitiao.cli import tables

            self._print(*tables.training_plan(plan), "")

    def evaluated(self, evaluation: Mapping[str, Any]) -> None:
        """A line for each evaluation during training; the last one, with its tables, is the verb's result."""
        if "epoch" in evaluation:
            from weitiao.cli import figures

            self._say(figures.epoch_line(evaluation))

    def progress(self, stage: str, done: int, total: int | None, figures: Mapping[str, float]) -> None:
        """Moves the stage's bar, or tells a line."""
        (self._bars or self._lines).move(stage, done, total, figures)

    def _settle(self) -> None:
        if self._bars is not None:
            self._bars.settle()

    def _say(self, text: Text) -> None:
        # In a file or a pipe a line stays one line, so that it can be searched.
        self._console.print(text, soft_wrap=not self._console.is_terminal)

    def _print(self, *renderables: Any) -> None:
        for renderable in renderables:
            self._console.print(renderable)


def _bars(console: "Console") -> "Bars":
    from weitiao.cli.bars import Bars

    return Bars(console)


@contextmanager
def working(screen: Screen, *, results: bool = False, first: str = "", unsaved: str = "") -> Iterator[tuple[Any, Recorder]]:
    """``weitiao.api`` and an observer for it. The import takes seconds, so it happens here, with the spinner turning, or after a ``first``
    line where none turns.
    """
    with observer_for(screen, results=results, first=first, unsaved=unsaved) as observer:
        from weitiao import api

        yield api, observer


def observer_for(screen: Screen, *, results: bool = False, first: str = "", unsaved: str = "") -> Recorder:
    """The observer of one verb: drawing for people, silent for ``--json`` and ``--quiet``."""
    return TerminalObserver(screen, results=results, first=first, unsaved=unsaved) if screen.talks else Recorder(unsaved)
