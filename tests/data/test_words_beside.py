"""Words found by processes beside this one: what they find, and how they end."""

import signal
from pathlib import Path

import numpy as np
import pytest

from weitiao.data.whole_words import going_on
from weitiao.data.words_beside import words_beside

TEXTS = ["今天的天气很好，我们去公园。"] * 3


def test_an_interrupt_of_the_terminal_does_not_reach_them() -> None:
    with words_beside("jieba", 1) as finder:
        finder.ask(TEXTS).result()
        finder.started[0].send_signal(signal.SIGINT)
        for found in finder.ask(TEXTS).result():
            assert np.array_equal(found, going_on(TEXTS[0], "jieba"))
    assert finder.started[0].returncode == 0


def test_modules_in_the_users_folder_are_not_taken_for_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numpy", "random", "json"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w'); raise SystemExit(1)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with words_beside("jieba", 1) as finder:
        (found,) = finder.ask(TEXTS[:1]).result()
    assert finder.started[0].returncode == 0
    assert np.array_equal(found, going_on(TEXTS[0], "jieba"))
    assert not (tmp_path / "ran").exists()


def test_what_has_no_chinese_starts_no_process() -> None:
    with words_beside("jieba", 2) as finder:
        (found,) = finder.ask(["all the day"]).result()
        assert not finder.started
    assert np.array_equal(found, going_on("all the day", "words"))
