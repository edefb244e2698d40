"""Numbers as the report writes them, a dash where there is none, in the language in force. Knows no run and no HTML."""

import re
from datetime import datetime
from typing import Any

from weitiao import quantities
from weitiao.quantities import NONE


def figure(value: float | None, digits: int = 3) -> str:
    """A metric's value.

    >>> figure(0.83249), figure(None)
    ('0.832', '–')
    """
    return NONE if value is None else f"{value:.{digits}f}"


def bounds(interval: Any, digits: int = 3) -> str:
    """An interval, or nothing where there is none.

    >>> bounds([0.8, 0.9]), bounds(None)
    ('0.800 – 0.900', '')
    """
    return f"{interval[0]:.{digits}f} – {interval[1]:.{digits}f}" if interval else ""


def count(value: float | None) -> str:
    """A whole number with thousands set apart.

    >>> count(1234567)
    '1,234,567'
    """
    return NONE if value is None else f"{round(value):,}"


def percent(value: float | None) -> str:
    """A share of one; the small ones keep their digits.

    >>> percent(0.5), percent(0.0312), percent(0.0004), percent(0)
    ('50%', '3.1%', '0.04%', '0%')
    """
    if value is None:
        return NONE
    share = 100 * value
    return f"{share:.0f}%" if share >= 10 else f"{share:.2g}%"


def size(value: float | None) -> str:
    """Bytes, or a dash.

    >>> size(90_900_000), size(None)
    ('90.9 MB', '–')
    """
    return NONE if value is None else quantities.size(value)


def duration(seconds: float | None) -> str:
    """A time span, or a dash.

    >>> duration(75), duration(None)
    ('1 min 15 s', '–')
    """
    return NONE if seconds is None else quantities.duration(seconds)


def moment(value: str | None) -> str:
    """An ISO time to the minute; what is no ISO time stays as it is.

    >>> moment("2026-03-01T12:30:45+08:00")
    '2026-03-01 12:30'
    """
    if not value:
        return NONE
    try:
        return datetime.fromisoformat(value).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return value


def shorten(text: Any, characters: int = 240) -> str:
    """Text on one line, cut at ``characters``.

    >>> shorten("a\\nb"), shorten("abcdef", 4)
    ('a b', 'abc…')
    """
    return quantities.one_line(text, characters)


def file_name(source: Any) -> str:
    """A file's or a folder's name without the folders above it, by either system's marks; a hub name stays whole.

    >>> file_name("data/test.csv"), file_name("hub:owner/reviews"), file_name(r"\\\\server\\Acme Corp\\a.csv")
    ('test.csv', 'hub:owner/reviews', 'a.csv')
    """
    text = str(source or "")
    return text if text.startswith("hub:") else re.split(r"[\\/]", text.rstrip("\\/"))[-1]


def plain(value: Any) -> str:
    """A setting's value as it would be typed.

    >>> plain(["a", "b"]), plain(True), plain(""), plain(5e-05)
    ('a, b', 'true', '–', '5e-05')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(v) for v in value) or NONE
    return NONE if value is None or value == "" else str(value).replace("\n", "\\n").replace("\t", "\\t")
