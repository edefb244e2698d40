"""A text file becomes passages, one at a time: its lines, its paragraphs or the whole of it. It knows nothing of what they say."""

from collections.abc import Callable, Iterable, Iterator
from typing import TextIO

UNITS = ("line", "paragraph", "file")
LONGEST = 1_000_000  # characters of a passage; what is longer comes in pieces, so that memory stays bounded
_EDGES = "\ufeff \t\r\n"


def passages(file: TextIO, unit: str, cut: Callable[[int], object] = lambda row: None) -> Iterator[tuple[int, str]]:
    """(line at which it begins, text) of everything that holds something.

    >>> import io
    >>> list(passages(io.StringIO("one\\ntwo\\n\\nthree\\n"), "line"))
    [(1, 'one'), (2, 'two'), (4, 'three')]
    >>> list(passages(io.StringIO("one\\ntwo\\n\\nthree\\n"), "paragraph"))
    [(1, 'one\\ntwo'), (4, 'three')]

    Args:
        unit: "line"; "paragraph", which empty lines part; or "file".
        cut: called with the line at which a passage begins that is longer than ``LONGEST``, once.
    """
    if unit == "line":
        before = told = 0
        for number, line in _lines(file):
            if number == before != told:
                told = number
                cut(number)
            before = number
            if line:
                yield number, line
        return
    gathered: list[str] = []
    begin = size = 0
    whole = True  # so far
    for number, line in _lines(file):
        ends = not line and unit == "paragraph"
        if gathered and (ends or size + len(line) > LONGEST):
            if not ends and whole:
                cut(begin)
            yield begin, "\n".join(gathered).strip()
            gathered, size, whole = [], 0, ends
        if line or (gathered and not ends):
            begin = begin if gathered else number
            gathered.append(line)
            size += len(line) + 1
    if gathered:
        yield begin, "\n".join(gathered).strip()


def pieces(text: str) -> Iterable[str]:
    """A text in pieces of at most ``LONGEST`` characters: itself, nearly always."""
    return (text[at : at + LONGEST] for at in range(0, len(text), LONGEST)) if len(text) > LONGEST else (text,)


def _lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """(number, line) without its end; a line longer than ``LONGEST`` comes in several, all under its number."""
    number = 1
    while line := file.readline(LONGEST):
        yield number, line.strip(_EDGES)
        number += line.endswith(("\n", "\r"))
