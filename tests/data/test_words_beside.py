"""Words found by processes beside this one: what they find, and how they end."""

import signal

import numpy as np

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
