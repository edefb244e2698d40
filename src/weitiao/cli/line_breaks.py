"""Where a line is broken when it is longer than the terminal is wide: between words, and between Chinese characters, with no closing mark
at the start of a line and no opening one at its end. It knows nothing of what is said.
"""

import re

from rich.cells import cell_len

CLOSING = "，。、：；！？）》」』】〉”…"
OPENING = "（《「『【〈“"
_WIDE = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
# What no line may break inside: opening marks, one wide character or a run of others, closing marks, the blanks behind.
_PIECE = re.compile(rf"[{OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}{OPENING}{CLOSING}]+)?[{CLOSING}]*\s*")


def divide_line(text: str, width: int, fold: bool = True) -> list[int]:
    """Where to break a text so that no line is wider than ``width`` cells.

    >>> divide_line("weitiao 微调，好用。", 12), divide_line("a lovely day", 9)
    ([9], [9])

    Args:
        fold: whether what is itself wider than a line is broken inside.
    """
    breaks: list[int] = []
    used = 0  # cells of the line that is being filled
    for piece in _PIECE.finditer(text):
        wide, start = cell_len(piece[0].rstrip()), piece.start()
        if used and used + wide > width:
            breaks.append(start)
            used = 0
        if fold and wide > width:
            for at, character in enumerate(piece[0].rstrip(), start):
                if used and used + cell_len(character) > width:
                    breaks.append(at)
                    used = 0
                used += cell_len(character)
            used += len(piece[0]) - len(piece[0].rstrip())
        else:
            used += cell_len(piece[0])
    return breaks


def settle() -> None:
    """Have rich break lines here: its own way knows no place to break but blanks, so that a Chinese phrase behind an English word would
    move to the next line as a whole, and a line could begin with a comma.
    """
    import rich.text

    if hasattr(rich.text, "divide_line"):  # not of rich's public face: where it goes away, lines are broken as rich does it
        rich.text.divide_line = divide_line
