"""Where long work stands, in words on one line; and the observer that tells it on standard error to whoever calls from Python.

It knows the calls of an observer and plain streams; no terminal library, no work.
"""

import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from weitiao.messages import N_, _
from weitiao.metrics import title
from weitiao.observer import SILENT, Observer
from weitiao.quantities import duration, number, size

STAGES = {
    "": N_("Working"),
    "prepare": N_("Computing the frozen part"),
    "train": N_("Training"),
    "evaluate": N_("Evaluating"),
    "predict": N_("Predicting"),
    "read": N_("Reading"),
    "fetch": N_("Fetching"),
    "upload": N_("Sending"),
    "compare": N_("Comparing it with the run"),
    "time": N_("Measuring its speed"),
    "ask": N_("Asking the page"),
}
PAUSE = 0.2  # seconds between two states of the line


def stage_line(stage: str, done: int, total: int | None, figures: Mapping[str, float]) -> str:
    """A stage with its share, its amount and its figures.

    >>> stage_line("train", 3, 12, {"loss": 0.5, "eta_seconds": 90})
    'Training 25% · 3/12 · loss 0.500 · 1 min 30 s left'
    """
    name = _(STAGES.get(stage, stage))
    if total:
        name = _("{stage} {share:.0%}").format(stage=name, share=done / total)
    left = [_("{time} left").format(time=duration(figures["eta_seconds"]))] if figures.get("eta_seconds") else []
    return " · ".join([name, amount(stage, done, total), *shown_figures(figures), *left])


def amount(stage: str, done: int, total: int | None) -> str:
    """How much of how much, in the stage's unit."""
    if stage in ("fetch", "upload"):
        return size(done) + (f" / {size(total)}" if total else "")
    return f"{done:,}" + (f"/{total:,}" if total else "")


def shown_figures(figures: Mapping[str, float]) -> list[str]:
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


class Teller(Observer):
    """Tells on a stream: notes as lines, and below them one line that moves with the work.

    Args:
        stream: a terminal, or what a notebook shows as one.
        clock: seconds; a test brings its own.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._moving = ""  # what stands on the line that moves
        self._moved = -PAUSE

    def note(self, text: str) -> None:
        """A line."""
        self._move("")
        self._stream.write(text + "\n")
        self._stream.flush()

    def warn(self, text: str) -> None:
        """A line with a mark."""
        self.note("! " + text)

    def checked(self, check: Mapping[str, Any], plan: Mapping[str, Any], ledger: Mapping[str, int]) -> None:
        """What the check found that may spoil the training."""
        for finding in check.get("findings", ()):
            if finding["severity"] != "info":
                self.warn(finding["message"])

    def planned(self, plan: Mapping[str, Any]) -> None:
        """What is trained, on how much, for how long, and where it goes."""
        message = _("{task}: {steps:,} steps on {rows:,} rows with {model} ({device}). The run goes to {out}.")
        about = {"task": plan["task"], "steps": plan["steps"], "rows": plan["rows"]["train"], "model": plan["model"]["id"]}
        told = [message.format(**about, device=plan["device"], out=plan["out"])]
        seconds = (plan.get("estimate") or {}).get("seconds")
        told += [_("It takes about {time}.").format(time=duration(seconds))] if seconds is not None else []
        self.note(" ".join(told))

    def evaluated(self, evaluation: Mapping[str, Any]) -> None:
        """The figure that decides: of an epoch, and at the end the verdict."""
        verdict = (evaluation.get("verdict") or {}).get("text")
        if verdict:
            self.note(verdict)
        if "epoch" not in evaluation:
            return
        best = evaluation.get("best") or {}
        name = best.get("metric", "loss")
        figure = f"{title(name)} {number(evaluation['metrics'].get(name))}"
        mark = " · " + _("best so far") if best.get("step") == evaluation.get("step") else ""
        self.note(_("Epoch {epoch}").format(epoch=evaluation["epoch"]) + " · " + figure + mark)

    def progress(self, stage: str, done: int, total: int | None, figures: Mapping[str, float]) -> None:
        """Moves the line, and clears it at a stage's end."""
        if total and done >= total:
            self._move("")
        elif self._clock() - self._moved >= PAUSE:
            self._moved = self._clock()
            self._move(stage_line(stage, done, total, figures))

    def _move(self, line: str) -> None:
        """Write over what stands on the moving line: in a notebook too, where nothing erases."""
        line = _fitting(line, shutil.get_terminal_size().columns - 1)
        if line or self._moving:
            self._stream.write("\r" + line + " " * (_width(self._moving) - _width(line)) + ("" if line else "\r"))
            self._stream.flush()
        self._moving = line


def default_observer(observer: Observer | None, *, quiet: bool) -> Observer:
    """The observer that was passed; without one a teller where somebody watches, a terminal or a notebook, and nobody elsewhere."""
    if observer is not None:
        return observer
    watched = sys.stderr is not None and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    return Teller(sys.stderr) if watched and not quiet else SILENT


def _width(text: str) -> int:
    """Columns of a terminal.

    >>> _width("ab"), _width("训练")
    (2, 4)
    """
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _fitting(text: str, columns: int) -> str:
    """A text without what would go over the end of a line.

    >>> _fitting("训练 12%", 5)
    '训练 '
    """
    while _width(text) > columns:
        text = text[:-1]
    return text
