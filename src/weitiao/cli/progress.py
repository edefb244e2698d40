"""Long work on a terminal: a live bar where somebody watches, a plain line now and then where the output goes to a file. It knows the
observer's calls and no work.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from weitiao.cli import figures, tables
from weitiao.cli.quantities import duration, number, size
from weitiao.cli.screen import Screen
from weitiao.messages import N_, _
from weitiao.observer import Observer

STAGES = {
    "train": N_("Training"),
    "evaluate": N_("Evaluating"),
    "predict": N_("Predicting"),
    "read": N_("Reading"),
    "check": N_("Checking"),
    "encode": N_("Tokenising"),
    "fetch": N_("Fetching"),
}
# Without a terminal: a line at every tenth of a stage, but none for what is over in a moment.
TENTH, QUIET_SECONDS = 0.1, 2.0


class Recorder(Observer):
    """Says nothing and remembers what a verb wants to tell at the end."""

    def __init__(self) -> None:
        self.check: Mapping[str, Any] = {}
        self.columns: Mapping[str, Any] = {}
        self.ledger: Mapping[str, int] = {}
        self.plan: Mapping[str, Any] = {}

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""

    def checked(self, check: Mapping[str, Any], plan: Mapping[str, Any], ledger: Mapping[str, int]) -> None:
        """Remembers the check."""
        self.check, self.columns, self.ledger = check, plan, ledger

    def planned(self, plan: Mapping[str, Any]) -> None:
        """Remembers the plan."""
        self.plan = plan


class TerminalObserver(Recorder):
    """Draws on standard error.

    Args:
        screen: whose standard error.
        results: True for a verb that prints the check and the plan itself, as its result, on standard output.
        clock: seconds; a test brings its own.
    """

    def __init__(self, screen: Screen, *, results: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._console, self._results, self._clock = screen.err, results, clock
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, tuple[float, float]] = {}  # stage -> (share done, when it was last told)

    def close(self) -> None:
        """Take the live bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._tasks.clear()

    def note(self, text: str) -> None:
        """A line, above the bar."""
        self._console.print(Text(text))

    def warn(self, text: str) -> None:
        """A line with a yellow mark, above the bar."""
        self._console.print(Text.assemble((_("Note:"), "bold yellow"), " ", text))

    def checked(self, check: Mapping[str, Any], plan: Mapping[str, Any], ledger: Mapping[str, int]) -> None:
        """The check as tables, unless the verb prints them itself."""
        super().checked(check, plan, ledger)
        if not self._results:
            self._print(*tables.checked(check, plan, ledger))

    def planned(self, plan: Mapping[str, Any]) -> None:
        """The training plan as a table, unless the verb prints it itself."""
        super().planned(plan)
        if not self._results:
            self._print(*tables.training_plan(plan), "")

    def evaluated(self, evaluation: Mapping[str, Any]) -> None:
        """A line for each evaluation during training; the last one, with its tables, is the verb's result."""
        if "epoch" in evaluation:
            self._print(figures.epoch_line(evaluation))

    def progress(self, stage: str, done: int, total: int | None, numbers: Mapping[str, float]) -> None:
        """Moves the stage's bar, or tells a line."""
        if self._console.is_terminal:
            self._draw(stage, done, total, numbers)
        else:
            self._tell(stage, done, total, numbers)

    def _print(self, *renderables: Any) -> None:
        for renderable in renderables:
            self._console.print(renderable)

    def _draw(self, stage: str, done: int, total: int | None, numbers: Mapping[str, float]) -> None:
        if self._bar is None:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                _Amount(),
                TextColumn("{task.fields[figures]}", style="dim"),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(_(STAGES.get(stage, stage)), total=total, figures="", stage=stage)
        left = self._left(self._bar.tasks[self._bar.task_ids.index(self._tasks[stage])], numbers)
        shown = " · ".join([*_figures(numbers), *([left] if left else [])])
        self._bar.update(self._tasks[stage], completed=done, total=total, figures=shown)
        if total is not None and done >= total:
            self._bar.remove_task(self._tasks.pop(stage))
            if not self._tasks:
                self.close()

    def _left(self, task: Task, numbers: Mapping[str, float]) -> str:
        seconds = numbers.get("eta_seconds", task.time_remaining)
        return _("{time} left").format(time=duration(seconds)) if seconds else ""

    def _tell(self, stage: str, done: int, total: int | None, numbers: Mapping[str, float]) -> None:
        now = self._clock()
        before, when = self._told.setdefault(stage, (0.0, now))
        if not total or done / total - before < TENTH - 1e-9 or now - when < QUIET_SECONDS:
            if total and done >= total:
                del self._told[stage]
            return
        self._told[stage] = (done / total, now)
        title = _("{stage} {share:.0%}").format(stage=_(STAGES.get(stage, stage)), share=done / total)
        parts = [title, _amount(stage, done, total), *_figures(numbers)]
        if numbers.get("eta_seconds"):
            parts.append(_("{time} left").format(time=duration(numbers["eta_seconds"])))
        self._console.print(Text(" · ".join(parts)), soft_wrap=True)
        if done >= total:
            del self._told[stage]


class _Amount(ProgressColumn):
    """How much of how much, in the stage's unit."""

    def render(self, task: Task) -> Text:
        return Text(_amount(task.fields["stage"], int(task.completed), int(task.total) if task.total is not None else None))


def _amount(stage: str, done: int, total: int | None) -> str:
    if stage == "fetch":
        return size(done) + (f" / {size(total)}" if total else "")
    return f"{done:,}" + (f"/{total:,}" if total else "")


def _figures(numbers: Mapping[str, float]) -> list[str]:
    """The figures worth a place on the line."""
    shown = []
    if "epoch" in numbers:
        shown.append(_("epoch {epoch:.1f}").format(epoch=numbers["epoch"]))
    if "loss" in numbers:
        shown.append(_("loss {loss}").format(loss=number(numbers["loss"])))
    if "tokens_per_s" in numbers:
        shown.append(_("{count:,.0f} tokens/s").format(count=numbers["tokens_per_s"]))
    elif "rows_per_s" in numbers:
        shown.append(_("{count:,.0f} rows/s").format(count=numbers["rows_per_s"]))
    return shown


def observer_for(screen: Screen, *, results: bool = False) -> Recorder:
    """The observer of one verb: drawing for people, silent for ``--json`` and ``--quiet``."""
    return TerminalObserver(screen, results=results) if screen.talks else Recorder()
