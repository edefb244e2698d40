"""How far a stage of long work is: bars that move on a terminal, or a line now and then in a file. Knows numbers and a console, no work."""

import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from weitiao.messages import N_, _
from weitiao.quantities import duration, number, size

STAGES = {
    "": N_("Working"),
    "prepare": N_("Computing the frozen part"),
    "train": N_("Training"),
    "evaluate": N_("Evaluating"),
    "predict": N_("Predicting"),
    "read": N_("Reading"),
    "fetch": N_("Fetching"),
}
# In a file: a line at every tenth of a stage, but none for what is over in a moment.
TENTH, MOMENT = 0.1, 2.0


class Bars:
    """One bar a stage; while there is none, a spinner, so that a terminal never looks dead."""

    def __init__(self, console: Console) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            _Amount(),
            TextColumn("{task.fields[figures]}", style="dim", markup=False),
        )
        self._progress = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._idle = self._add("")

    def start(self) -> None:
        """Begin to draw."""
        self._progress.start()

    def stop(self) -> None:
        """Take everything away and leave the terminal as it was."""
        self._progress.stop()

    def move(self, stage: str, done: int, total: int | None, figures: Mapping[str, float]) -> None:
        """Move a stage's bar; at its total it goes."""
        self.settle(but=stage)
        task = self._tasks.get(stage)
        if task is None:
            task = self._tasks[stage] = self._add(stage)
        left = figures.get("eta_seconds") or next(t for t in self._progress.tasks if t.id == task).time_remaining
        shown = [*_figures(figures), *([_("{time} left").format(time=duration(left))] if left else [])]
        self._progress.update(task, completed=done, total=total, figures=" · ".join(shown))
        if total is not None and done >= total:
            self._remove(stage)
        self._progress.update(self._idle, visible=not self._tasks)

    def settle(self, but: str = "") -> None:
        """Stages of unknown length announce no end: they end when something else begins."""
        unmeasured = {task.id for task in self._progress.tasks if task.total is None}
        for stage in [s for s, task in self._tasks.items() if task in unmeasured and s != but]:
            self._remove(stage)
        self._progress.update(self._idle, visible=not self._tasks)

    def _add(self, stage: str) -> TaskID:
        return self._progress.add_task(_(STAGES.get(stage, stage)), total=None, figures="", stage=stage)

    def _remove(self, stage: str) -> None:
        self._progress.remove_task(self._tasks.pop(stage))


class Lines:
    """A line at every tenth of a stage.

    Args:
        tell: takes a line.
        clock: seconds.
    """

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._clock = tell, clock
        self._told: dict[str, tuple[float, float]] = {}  # stage -> the share that was told last, and when

    def move(self, stage: str, done: int, total: int | None, figures: Mapping[str, float]) -> None:
        """Tell a line if a tenth and a moment have gone by."""
        if not total:
            return
        share, now = done / total, self._clock()
        before, when = self._told.setdefault(stage, (0.0, now))
        if share - before >= TENTH - 1e-9 and now - when >= MOMENT:
            self._told[stage] = (share, now)
            title = _("{stage} {share:.0%}").format(stage=_(STAGES.get(stage, stage)), share=share)
            left = [_("{time} left").format(time=duration(figures["eta_seconds"]))] if figures.get("eta_seconds") else []
            self._tell(" · ".join([title, _amount(stage, done, total), *_figures(figures), *left]))
        if done >= total:
            self._told.pop(stage)


class _Amount(ProgressColumn):
    """How much of how much, in the stage's unit."""

    def render(self, task: Task) -> Text:
        total = int(task.total) if task.total is not None else None
        return Text(_amount(task.fields["stage"], int(task.completed), total) if task.fields["stage"] else "")


def _amount(stage: str, done: int, total: int | None) -> str:
    if stage == "fetch":
        return size(done) + (f" / {size(total)}" if total else "")
    return f"{done:,}" + (f"/{total:,}" if total else "")


def _figures(figures: Mapping[str, float]) -> list[str]:
    """The figures worth a place on the line."""
    shown = []
    if "epoch" in figures:
        shown.append(_("epoch {epoch:.1f}").format(epoch=figures["epoch"]))
    if "loss" in figures:
        shown.append(_("loss {loss}").format(loss=number(figures["loss"])))
    if "tokens_per_s" in figures:
        shown.append(_("{count:,.0f} tokens/s").format(count=figures["tokens_per_s"]))
    elif "rows_per_s" in figures:
        shown.append(_("{count:,.0f} rows/s").format(count=figures["rows_per_s"]))
    return shown
