"""Numbers and texts as people read them, on a terminal as on a page: durations, sizes, shares, figures, one line of a text. It knows no
other module but the messages.
"""

from collections.abc import Iterable

from weitiao.messages import _

NONE = "–"


def duration(seconds: float) -> str:
    """A length of time, as exact as anybody needs.

    >>> duration(4.24), duration(200), duration(7500)
    ('4.2 s', '3 min 20 s', '2 h 5 min')
    """
    seconds = max(0.0, seconds)
    if round(seconds, 1) < 10:
        return _("{seconds} s").format(seconds=f"{seconds:.1f}".removesuffix(".0"))
    whole = round(seconds)
    if whole < 60:
        return _("{seconds} s").format(seconds=whole)
    if whole < 3600:
        return _("{minutes} min {seconds} s").format(minutes=whole // 60, seconds=whole % 60)
    return _("{hours} h {minutes} min").format(hours=whole // 3600, minutes=whole % 3600 // 60)


def size(count: float) -> str:
    """Bytes, in powers of ten as disks and downloads count them.

    >>> size(900), size(90_900_000), size(999_960)
    ('900 B', '90.9 MB', '1.0 MB')
    """
    if abs(count) < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if abs(count) < 999.95:  # what would be written as 1000.0 is one of the next
            return f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} TB"


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
        return NONE
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.1f}" if abs(value) < 1e7 else f"{value:.2e}"


def one_line(text: object, width: int) -> str:
    """A text on one line, shortened to ``width`` characters.

    >>> one_line("two\\nlines of text", 12)
    'two lines o…'
    """
    flat = " ".join(str(text).split())
    return flat if len(flat) <= width else flat[: width - 1].rstrip() + "…"


def quoted(text: str, most: int = 60) -> str:
    """What a file holds, for a message: on one line, not too long, and told apart from the words around it.

    >>> quoted("one\\ntwo " + "x" * 99, 12)
    '«one two xxx…»'
    """
    return f"«{one_line(text, most)}»"


def some(values: Iterable[object], most: int) -> str:
    """The first few of many, separated by commas.

    >>> some([1, 2, 3, 4], 2)
    '1, 2, …'
    """
    listed = list(values)
    return _(", ").join([*(str(value) for value in listed[:most]), *(["…"] if len(listed) > most else [])])
