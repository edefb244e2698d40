"""Whether two answers are the same but for the last digits: another library, or another processor, adds numbers up in another order."""

import html
import math
import re
from collections.abc import Mapping
from typing import Any

APART = 1e-3  # that a number which is not whole may be; of one larger than 1, the share of it
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?!\w|\.\d)")
_TAG = re.compile(r"<[^>]*>")


def distance(wanted: Any, got: Any) -> float:
    """How far two plain values are apart: the largest difference of a number, as a share of it where it is above 1; infinite where anything
    else differs, a whole number too.

    >>> distance({"label": "a", "score": 0.5}, {"label": "a", "score": 0.25}), distance(["a"], ["b"]), distance(10.0, 11), distance(10, 11)
    (0.25, inf, 0.1, inf)
    """
    if isinstance(wanted, Mapping) and isinstance(got, Mapping) and wanted.keys() == got.keys():
        return max((distance(value, got[name]) for name, value in wanted.items()), default=0.0)
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return max(map(distance, wanted, got), default=0.0)
    if isinstance(wanted, float) and isinstance(got, (int, float)) and not isinstance(got, bool):  # JavaScript writes 1.0 as 1
        apart = abs(wanted - got) / max(1.0, abs(wanted))
        return apart if apart == apart else math.inf
    return 0.0 if isinstance(wanted, bool) == isinstance(got, bool) and wanted == got else math.inf


def alike(wanted: Any, got: Any) -> bool:
    """Whether two plain values are the same, their numbers within ``APART``.

    >>> alike({"label": "a", "score": 0.51234}, {"label": "a", "score": 0.51239}), alike({"label": "a"}, {"label": "b"})
    (True, False)
    """
    return distance(wanted, got) <= APART


def read_alike(wanted: str, got: str) -> bool:
    """Whether two pieces of HTML read the same, their numbers within one of the last digit that is shown, or within ``APART``; whole ones
    are counted or were said, so they are the same.

    >>> read_alike("<b>good</b> 97.3%", "<i>good</i> 97.4%"), read_alike("good 97.3%", "good 91.0%"), read_alike("good 1", "bad 1")
    (True, False, False)
    >>> read_alike("in 1984.", "in 1985."), read_alike("of 0.512.", "of 0.5125.")
    (False, True)
    """
    one, other = read(wanted), read(got)
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    return all(_close(a, b) for a, b in zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True))


def read(text: str) -> str:
    """What can be read of a piece of HTML, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _close(one: str, other: str) -> bool:
    if not set(".e") & set(one + other):
        return one == other
    shown = 10.0 ** -len(one.partition(".")[2]) if "." in one and "e" not in one else 0.0
    return abs(float(one) - float(other)) <= max(1.01 * shown, APART * max(1.0, abs(float(one))))
