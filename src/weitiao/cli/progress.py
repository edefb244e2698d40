"""The command line's observers: one that draws, one that only remembers. They know the observer's calls and no work."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.text import Text

from weitiao.cli import figures, tables
from weitiao.cli.bars import Bars, Lines
from weitiao.cli.screen import Screen
from weitiao.messages import _
from weitiao.observer import Observer


class Recorder(Observer):
    """Says nothing and remembers what a verb wants to tell at the end. It is open while its ``with`` block runs."""

    def __init__(self) -> None:
        self.check: Mapping[str, Any] = {}
        self.columns: Mapping[str, Any] = {}
        self.ledger: Mapping[str, int] = {}
        self.last_note = ""

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt) and not error.args and self.last_note:
            # How to go on was said in a note that --quiet and --json kept back.
            error.args = (self.last_note,)

    def note(self, text: str) -> None:
        """Remembers the last one."""
        self.last_note = text

    def checked(self, check: Mapping[str, Any], plan: Mapping[str, Any], ledger: Mapping[str, int]) -> None:
        """Remembers the check."""
        self.check, self.columns, self.ledger = check, plan, ledger


class TerminalObserver(Recorder):
    """Draws on standard error: bars and tables.

    Args:
        screen: whose standard error.
        results: True for a verb that prints the check and the plan itself, as its result, on standard output.
        clock: seconds; a test brings its own.
    """

    def __init__(self, screen: Screen, *, results: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._console, self._results = screen.err, results
        self._bars = Bars(screen.err) if screen.err.is_terminal else None
        self._lines = Lines(lambda line: self._say(Text(line)), clock)

    def __enter__(self) -> "TerminalObserver":
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def note(self, text: str) -> None:
        """A line, above the bars."""
        self._say(Text(text))

    def warn(self, text: str) -> None:
        """A line with a yellow mark, above the bars."""
        self._say(Text.assemble((_("Note:"), "bold yellow"), " ", text))

    def checked(self, check: Mapping[str, Any], plan: Mapping[str, Any], ledger: Mapping[str, int]) -> None:
        """The check as tables, unless the verb prints them itself."""
        super().checked(check, plan, ledger)
        self._settle()
        if not self._results:
            self._print(*tables.checked(check, plan, ledger))

    def planned(self, plan: Mapping[str, Any]) -> None:
        """The training plan as a table, unless the verb prints it itself."""
        self._settle()
        if not self._results:
            self._print(*tables.training_plan(plan), "")

    def evaluated(self, evaluation: Mapping[str, Any]) -> None:
        """A line for each evaluation during training; the last one, with its tables, is the verb's result."""
        if "epoch" in evaluation:
            self._print(figures.epoch_line(evaluation))

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


@contextmanager
def working(screen: Screen, *, results: bool = False) -> Iterator[tuple[Any, Recorder]]:
    """``weitiao.api`` and an observer for it. The import takes seconds, so it happens here, with the spinner turning."""
    with observer_for(screen, results=results) as observer:
        from weitiao import api

        yield api, observer


def observer_for(screen: Screen, *, results: bool = False) -> Recorder:
    """The observer of one verb: drawing for people, silent for ``--json`` and ``--quiet``."""
    return TerminalObserver(screen, results=results) if screen.talks else Recorder()
