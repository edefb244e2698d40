"""Progress: a bar where somebody watches, a line now and then in a file, nothing for scripts."""

import io

import pytest
from rich.console import Console

from weitiao.cli.progress import Recorder, TerminalObserver, observer_for
from weitiao.cli.screen import Screen


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def observer(*, terminal: bool) -> tuple[TerminalObserver, io.StringIO, Clock]:
    screen, stream, clock = Screen(), io.StringIO(), Clock()
    screen.__dict__["err"] = Console(file=stream, width=100, force_terminal=terminal, highlight=False, color_system=None)
    return TerminalObserver(screen, clock=clock), stream, clock


def test_without_a_terminal_a_line_is_told_at_every_tenth() -> None:
    watching, stream, clock = observer(terminal=False)
    for step in range(1, 201):
        clock.now += 1
        watching.progress("train", step, 200, {"loss": 0.5, "epoch": step / 100, "tokens_per_s": 1234.0, "eta_seconds": 200.0 - step})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "Training 10% · 20/200 · epoch 0.2 · loss 0.500 · 1,234 tokens/s · 3 min 0 s left"
    assert lines[-1].startswith("Training 100% · 200/200")


def test_without_a_terminal_short_work_is_not_worth_a_line() -> None:
    watching, stream, _clock = observer(terminal=False)
    for _again in range(3):
        for row in range(0, 1001, 100):
            watching.progress("evaluate", row, 1000, {})
    watching.progress("read", 5, None, {})
    assert stream.getvalue() == ""


def test_on_a_terminal_the_bar_goes_and_the_notes_stay() -> None:
    watching, stream, _clock = observer(terminal=True)
    with watching:
        watching.progress("train", 1, 4, {"loss": 0.5, "eta_seconds": 90})
        watching.note("A note with [brackets].")
        watching.progress("evaluate", 1, 2, {})
        watching.progress("evaluate", 2, 2, {"rows_per_s": 10})
        watching.progress("fetch", 2**20, None, {})
        watching.progress("train", 4, 4, {})
    assert "A note with [brackets]." in stream.getvalue()
    assert "\x1b[?25h" in stream.getvalue().rpartition("\x1b[?25l")[2]  # the cursor is shown again


def test_the_terminal_is_left_well_after_an_error() -> None:
    watching, stream, _clock = observer(terminal=True)
    with pytest.raises(KeyboardInterrupt), watching:
        watching.progress("train", 1, 4, {})
        raise KeyboardInterrupt
    assert stream.getvalue().rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in stream.getvalue()


def test_scripts_get_silence_but_the_check_is_remembered() -> None:
    for screen in (Screen(json=True), Screen(quiet=True)):
        silent = observer_for(screen)
        assert type(silent) is Recorder
        silent.checked({"rows": {}}, {"fields": {}}, {"dropped:x": 1})
        silent.planned({"steps": 3})
        assert (silent.check, silent.columns, silent.ledger) == ({"rows": {}}, {"fields": {}}, {"dropped:x": 1})


def test_only_evaluations_during_training_are_lines() -> None:
    watching, stream, _clock = observer(terminal=False)
    watching.evaluated({"split": "validation", "epoch": 1, "step": 3, "metrics": {"accuracy": 0.5}})
    watching.evaluated({"split": "test", "rows": 3, "metrics": {"accuracy": 0.5}})
    assert len(stream.getvalue().splitlines()) == 1


@pytest.mark.parametrize("watching", [Recorder(), observer(terminal=False)[0]], ids=["silent", "drawing"])
def test_what_an_interrupt_comes_to_is_said_once_and_at_the_end(watching: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt, match="--resume"), watching:
        watching.note("An ordinary note.")
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            watching.note("Saved; go on with --resume.")
            raise
    assert "--resume" not in capsys.readouterr().err


def test_an_interrupt_that_nobody_speaks_of_has_words_too() -> None:
    with pytest.raises(KeyboardInterrupt, match=r"^nothing was saved$"), Recorder("nothing was saved") as silent:
        silent.note("An ordinary note.")
        raise KeyboardInterrupt


def test_a_stage_without_an_end_ends_when_something_else_begins() -> None:
    watching, _stream, _clock = observer(terminal=True)
    with watching:
        watching.progress("read", 5000, None, {})
        watching.progress("train", 1, 4, {})
        assert watching._bars is not None
        assert list(watching._bars._tasks) == ["train"]
        watching.progress("fetch", 10, None, {})
        watching.checked({"rows": {"train": 3}, "findings": []}, {"fields": {}}, {})
        assert list(watching._bars._tasks) == ["train"]
