"""A cell's text becomes a value of a field's type. It knows types, no task; texts and single labels are ``cleaning``'s own."""

import json
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from weitiao.errors import DataError
from weitiao.images import opened
from weitiao.messages import _
from weitiao.quantities import quoted

_NUMBER = re.compile(r"[-+]?((\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?|nan|inf(inity)?)", re.IGNORECASE)
Parser = Callable[[Sequence[str | None]], Any]


def parser(kind: str, folder: Path = Path()) -> Parser:
    """A function from a row's cells to the value of a field of that type; it raises ValueError with a sentence, and gives None for nothing.

    >>> parser("number")(["3.5"]), parser("choices")(['["a", "b"]']), parser("choices")(["a, b"]), parser("number")([""])
    (3.5, ['a', 'b'], ['a', 'b'], None)

    Args:
        kind: a field type.
        folder: what the paths of images are relative to.
    """
    if kind == "choices":
        return _choices
    one = {"number": _number, "image": lambda text: _image(text, folder)}.get(kind, _nested)
    return lambda cells: one(cells[0].strip()) if cells[0] and cells[0].strip() else None


def _number(text: str) -> float:
    # float() takes more: 1_000 is Python's spelling, and no file's.
    if not _NUMBER.fullmatch(text):
        raise ValueError(_("a number was expected, and it holds {text}.").format(text=quoted(text)))
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(_("a finite number was expected, and it holds {text}.").format(text=quoted(text)))
    return number


def _choices(cells: Sequence[str | None]) -> list[str] | None:
    """One column that holds a list, or several columns of one value each."""
    filled = [cell.strip() for cell in cells if cell and cell.strip()]
    if len(cells) > 1:
        return filled or None
    if not filled:
        return None
    if not filled[0].startswith("["):
        return [part.strip() for part in filled[0].split(",") if part.strip()]
    values = _nested(filled[0])
    if any(isinstance(value, (dict, list)) for value in values):
        raise ValueError(_("a list of texts was expected, and it holds {text}.").format(text=quoted(filled[0])))
    return [value.strip() if isinstance(value, str) else json.dumps(value) for value in values]


def _nested(text: str) -> Any:
    """JSON where it is JSON; a text that does not look like it stays a text, and the task says whether it will do."""
    if text[:1] not in "[{":
        return text
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        raise ValueError(_("it begins like JSON and is not: {text}.").format(text=quoted(text))) from None


def _image(text: str, folder: Path) -> str:
    path = Path(text).expanduser()
    path = path if path.is_absolute() else folder / path
    if not os.path.isfile(path):  # Path.is_file raises for a name that is too long
        raise ValueError(_("the image {path} does not exist (paths count from the data file's folder).").format(path=path))
    try:
        with opened(path) as picture:
            picture.convert("RGB")  # to its last pixel, as it will be read: a picture that is cut short has a whole header
    except DataError as error:
        raise ValueError(str(error)) from error
    return str(path)
