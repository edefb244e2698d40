"""Whether two answers are the same but for the last digits: another library, or another processor, adds numbers up in another order."""

import html
import re
from collections.abc import Mapping
from typing import Any

APART = 1e-3  # that a number may be, beside one as large as 1
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")
_TAG = re.compile(r"<[^>]*>")


def alike(wanted: Any, got: Any) -> bool:
    """Whether two plain values are the same, their numbers within ``APART``.

    >>> alike({"label": "a", "score": 0.51234}, {"label": "a", "score": 0.51239}), alike({"label": "a"}, {"label": "b"})
    (True, False)
    """
    if isinstance(wanted, bool) or isinstance(got, bool) or not isinstance(wanted, (int, float, Mapping, list)):
        return bool(wanted == got)
    if isinstance(wanted, (int, float)):
        return isinstance(got, (int, float)) and abs(wanted - got) <= APART * max(1.0, abs(wanted))
    if isinstance(wanted, Mapping):
        return isinstance(got, Mapping) and wanted.keys() == got.keys() and all(alike(value, got[name]) for name, value in wanted.items())
    return isinstance(got, list) and len(wanted) == len(got) and all(map(alike, wanted, got))


def read_alike(wanted: str, got: str) -> bool:
    """Whether two pieces of HTML read the same, their numbers within one of the last digit that is shown, or within ``APART``.

    >>> read_alike("<b>good</b> 97.3%", "<i>good</i> 97.4%"), read_alike("good 97.3%", "good 91.0%"), read_alike("good 1", "bad 1")
    (True, False, False)
    """
    one, other = read(wanted), read(got)
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    return all(_close(a, b) for a, b in zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True))


def read(text: str) -> str:
    """What can be read of a piece of HTML, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _close(one: str, other: str) -> bool:
    shown = 10.0 ** -len(one.partition(".")[2]) if "." in one and "e" not in one else 0.0
    return abs(float(one) - float(other)) <= max(1.01 * shown, APART * max(1.0, abs(float(one))))
