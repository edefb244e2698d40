"""How long work tells people where it stands. This module knows no terminal: the base class is silent, the console's draws."""

from collections.abc import Mapping
from typing import Any


class Observer:
    """Receives what happens. Subclass it and override what you want to see; every method may be called from one thread only."""

    def note(self, text: str) -> None:
        """One line that people should read: a decision that was taken, a file that was written."""

    def warn(self, text: str) -> None:
        """One line about something that may be wrong but does not stop the work."""

    def checked(self, check: Mapping[str, Any], plan: Mapping[str, Any], ledger: Mapping[str, int]) -> None:
        """The data check is done: its findings, the column plan, the ledger's counts."""

    def planned(self, plan: Mapping[str, Any]) -> None:
        """Training is about to start: device, precision, parameters, steps, truncation, estimated time and memory."""

    def progress(self, stage: str, done: int, total: int | None, figures: Mapping[str, float]) -> None:
        """``done`` of ``total`` units of a stage ("train" in steps; "prepare", "evaluate", "predict", "read" in rows; "fetch" and "upload"
        in bytes; "compare" in answers, "time" in rounds, "ask" in records).

        ``figures`` may hold "loss", "epoch", "lr", "tokens_per_s", "rows_per_s", "eta_seconds".
        """

    def evaluated(self, evaluation: Mapping[str, Any]) -> None:
        """A split has been evaluated: during training {"split": "validation", "epoch", "step", "metrics"}, at the end all of it."""


SILENT = Observer()
