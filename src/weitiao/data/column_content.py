"""What a column's values look like: long texts, a few labels, numbers. It knows no column's name and no task."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from weitiao.data.table import Table
from weitiao.fields import FieldType

_SAMPLE = 5000  # rows
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
# Two words, or three characters of a script that puts no space between words.
_WORDS = re.compile(r"[^\W\d_]{2,}\W+\w+|[\u0e00-\u0eff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]{3}")
_DATE = re.compile(r"\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2})?.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*")
_ADDRESS = re.compile(r"\S+://\S+|\S+@\S+\.\S+")


@dataclass(frozen=True)
class Profile:
    """A column, seen on a sample of evenly spaced rows.

    Attributes:
        name: the column.
        rows: rows in the sample, blank ones included.
        filled: rows in it that hold something.
        distinct: different values among them.
        mean_length, longest: characters.
        fractional, dates, wordy: shares of the filled rows that are numbers with a fraction, dates, several words.
        lists: whether every filled row looks like a JSON list.
        listed: share of the filled rows that do; 0 where not one of them really is.
        example: a typical value.
        counts: how often each value occurs in the sample.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    mean_length: float
    longest: int
    fractional: float
    dates: float
    wordy: float
    lists: bool
    listed: float
    example: str
    counts: Counter[str]


def profiles(table: Table) -> dict[str, Profile]:
    """A profile of every column, by name."""
    if len(table) > _SAMPLE:
        table = table.take(np.linspace(0, len(table) - 1, _SAMPLE).astype(np.int64))
    return {name: _profile(name, table.texts(name)) for name in table.names}


def _profile(name: str, texts: list[str | None]) -> Profile:
    filled = [text.strip() for text in texts if text and text.strip()]
    numbers = [text for text in filled if len(text) < 40 and _NUMBER.fullmatch(text)]
    words = sum(_WORDS.search(text[:200]) is not None and _ADDRESS.fullmatch(text) is None for text in filled)
    bracketed = [text for text in filled if text.startswith("[") and text.endswith("]")]
    share = 1 / max(1, len(filled))
    return Profile(
        name=name,
        rows=len(texts),
        filled=len(filled),
        distinct=len(counts := Counter(filled)),
        mean_length=sum(map(len, filled)) * share,
        longest=max(map(len, filled), default=0),
        fractional=sum(not float(number).is_integer() for number in numbers) * share,
        dates=sum(_DATE.fullmatch(text[:40]) is not None for text in filled) * share,
        wordy=words * share,
        lists=bool(filled) and len(bracketed) == len(filled),
        # One is enough to know what brackets mean here: [spam] is a label, and thousands of vectors take their time.
        listed=len(bracketed) * share if any(map(_is_list, bracketed)) else 0.0,
        example=sorted(filled, key=len)[len(filled) // 2] if filled else "",
        counts=counts,
    )


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text, strict=False), list)
    except (ValueError, RecursionError):
        return False


def _looks_like_text(column: Profile) -> bool:
    # An address or a category can be several words as well, but it repeats.
    return column.wordy >= 0.5 and column.mean_length >= 6 and column.distinct >= 0.2 * column.filled and not column.lists


def _looks_like_choice(column: Profile) -> bool:
    return (
        2 <= column.distinct <= max(2, min(1000, column.filled // 2))
        and column.longest <= 60
        and not column.fractional
        and column.dates < 0.5
        and not column.lists
    )


def cannot_be(kind: FieldType, column: Profile) -> bool:
    """Whether the values rule out what the column's name says: a choice that is nearly always another one is a text, an id or a number.

    A few rows prove nothing, and one label everywhere is for the task to refuse.
    """
    return kind == "choice" and not column.lists and column.listed < 0.5 and column.filled >= 20 and column.distinct > column.filled // 2


# A type that is not listed here is found by its columns' names alone.
LOOKS_LIKE: dict[FieldType, Callable[[Profile], bool]] = {"text": _looks_like_text, "choice": _looks_like_choice}


def clearest(kind: FieldType, candidates: list[Profile]) -> Profile | None:
    """The candidate that stands out, or None where two are about as good: a text three times as long as any other; the only choice."""
    if len(candidates) == 1:
        return candidates[0]
    if kind == "text" and candidates:
        first, second = sorted(candidates, key=lambda column: -column.mean_length)[:2]
        return first if first.mean_length >= 3 * second.mean_length else None
    return None
