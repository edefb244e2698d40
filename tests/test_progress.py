"""Training from Python tells where it stands, to whoever watches and to nobody else."""

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

import weitiao
from weitiao.observer import SILENT, Observer
from weitiao.progress import Teller, default_observer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(*calls: tuple[str, tuple[Any, ...]]) -> str:
    stream, now = io.StringIO(), iter(range(100))
    teller = Teller(stream, clock=lambda: float(next(now)))
    for name, arguments in calls:
        getattr(teller, name)(*arguments)
    return stream.getvalue()


def test_one_line_moves_and_the_notes_stay() -> None:
    text = told(
        ("progress", ("train", 1, 4, {"loss": 0.5, "epoch": 0.2})),
        ("note", ("A note.",)),
        ("progress", ("train", 2, 4, {})),
        ("progress", ("train", 4, 4, {})),
        ("evaluated", ({"split": "validation", "epoch": 1, "step": 4, "metrics": {"f1": 0.5}, "best": {"metric": "f1", "step": 4}},)),
        ("evaluated", ({"split": "test", "metrics": {"f1": 0.5}, "verdict": {"text": "It is better."}},)),
    )
    first = "\rTraining 25% · 1/4 · epoch 0.2 · loss 0.500"
    assert text.startswith(first + "\r" + " " * (len(first) - 1) + "\rA note.\n\rTraining 50% · 2/4")
    assert text.endswith("Epoch 1 · F1 0.500 · best so far\nIt is better.\n")


def test_the_line_never_goes_over_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert told(("progress", ("train", 1, 4, {"loss": 0.5, "epoch": 0.2, "tokens_per_s": 1000.0}))) == "\rTraining 25% · 1/4 "


def test_who_is_told_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Observer()
    assert default_observer(mine, quiet=True) is mine
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert default_observer(None, quiet=False) is SILENT
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    assert isinstance(default_observer(None, quiet=False), Teller)
    monkeypatch.delitem(sys.modules, "ipykernel")
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(default_observer(None, quiet=False), Teller)
    assert default_observer(None, quiet=True) is SILENT


def test_a_training_in_a_terminal(train_tiny: Callable[..., weitiao.Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    run = train_tiny()
    text = screen.getvalue()
    assert f"The run goes to {run.path}." in text and "\rTraining " in text and "Epoch 1 · macro F1" in text
    assert run.record["evaluation"]["verdict"]["text"] in text
