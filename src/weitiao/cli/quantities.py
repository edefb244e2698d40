"""Numbers as people read them: durations, sizes, counts, shares."""

import re
from collections.abc import Iterable

from weitiao.errors import UsageError
from weitiao.messages import _

_SIZE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*([kmgt])(i?)b\s*", re.IGNORECASE)


def duration(seconds: float) -> str:
    """A length of time, as exact as anybody needs.

    >>> duration(4.2), duration(200), duration(7500)
    ('4 s', '3 min 20 s', '2 h 5 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return _("{seconds} s").format(seconds=whole)
    if whole < 3600:
        return _("{minutes} min {seconds} s").format(minutes=whole // 60, seconds=whole % 60)
    return _("{hours} h {minutes} min").format(hours=whole // 3600, minutes=whole % 3600 // 60)


def size(count: float) -> str:
    """Bytes.

    >>> size(900), size(91_000_000)
    ('900 B', '86.8 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def bytes_of(text: str, flag: str) -> int:
    """Bytes, from a size as people type it: a number and kB, MB, GB, TB, or the units of 1024, KiB, MiB, GiB, TiB.

    >>> bytes_of("8GB", "--memory"), bytes_of("1.5 gib", "--memory")
    (8000000000, 1610612736)

    Raises:
        UsageError: anything else; it names the flag.
    """
    found = _SIZE.fullmatch(text)
    count = round(float(found[1].replace(",", ".")) * (1024 if found[3] else 1000) ** (1 + "kmgt".index(found[2].lower()))) if found else 0
    if not count:
        message = _('{flag} is "{text}"; it must be a number with its unit, such as 8GB, 8GiB or 8192MB.')
        raise UsageError(message.format(flag=flag, text=text))
    return count


def share(value: float) -> str:
    """A share of one in per cent; what is there but tiny never reads as nothing.

    >>> share(0.25), share(0.0004), share(0.0)
    ('25%', '<0.1%', '0%')
    """
    if 0 < value < 0.001:
        return "<0.1%"
    return f"{value:.1%}".replace(".0%", "%")


def number(value: float | None) -> str:
    """A figure: three decimals, fewer where it is large, a dash where there is none.

    >>> number(0.8316), number(41234.56), number(4e12), number(None), number(float("nan"))
    ('0.832', '41,234.6', '4.00e+12', '–', '–')
    """
    if value is None or value != value:
        return "–"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.1f}" if abs(value) < 1e7 else f"{value:.2e}"


def one_line(text: str, width: int) -> str:
    """A text on one line, shortened to about ``width`` characters.

    >>> one_line("two\\nlines of text", 12)
    'two lines o…'
    """
    flat = " ".join(str(text).split())
    return flat if len(flat) <= width else flat[: width - 1].rstrip() + "…"


def some(values: Iterable[object], most: int) -> str:
    """The first few of many, separated by commas.

    >>> some([1, 2, 3, 4], 2)
    '1, 2, …'
    """
    listed = list(values)
    return ", ".join([*(str(v) for v in listed[:most]), *(["…"] if len(listed) > most else [])])
