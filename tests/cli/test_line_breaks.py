"""Lines break between Chinese characters, and English ones where rich breaks them."""

import random
from itertools import pairwise

from rich._wrap import divide_line as of_rich
from rich.cells import cell_len

from weitiao.cli.line_breaks import CLOSING, OPENING, divide_line


def lines(text: str, width: int) -> list[str]:
    places = [0, *divide_line(text, width), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


def test_no_line_is_too_wide_and_no_mark_stands_where_it_must_not() -> None:
    text = "它写下 all_results.json、train.json（这里：“引用”）。模型文件也在那里，AutoModelForSequenceClassification 可以直接读！好。"
    for width in range(34, 80):  # a longer word would be broken anywhere
        broken = lines(text, width)
        assert "".join(broken) == text
        assert all(cell_len(line.rstrip()) <= width for line in broken)
        assert not any(line[0] in CLOSING for line in broken) and not any(line.rstrip()[-1] in OPENING for line in broken)


def test_english_is_broken_as_ever() -> None:
    draw = random.Random(0)
    for _ in range(200):
        text = " ".join("".join(draw.choices("abc.", k=draw.randint(1, 9))) for _ in range(12))
        assert divide_line(text, 20) == of_rich(text, 20)
