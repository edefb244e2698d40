"""JSON and JSON Lines become tables. It knows syntax, not what a key means.

A number stays as it was written (1.0 does not become 1), true and false keep their JSON spelling, and what is nested keeps its JSON text.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from weitiao.data.bad_rows import BadRows
from weitiao.data.encodings import Encoding, is_damaged
from weitiao.data.headers import column_names
from weitiao.data.ledger import Ledger
from weitiao.data.packed import Packed
from weitiao.data.table import Table
from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.quantities import quoted

_SPACE = re.compile(r"[\s\ufeff]*")
_LONG = 1 << 25  # characters after which a piece ends, however few rows it has


class _Number(float):
    """A float that remembers how it was written; nested in something, it is dumped as an ordinary float."""

    written: str

    def __new__(cls, written: str) -> "_Number":
        number = super().__new__(cls, written)
        number.written = written
        return number


# Raw control characters inside a text are against the rules, common, and harmless: not strict.
_DECODER = json.JSONDecoder(parse_float=_Number, parse_constant=lambda name: name, strict=False)


def is_lines(
    path: Path, encoding: Encoding, of: Callable[[Any], bool] = lambda value: isinstance(value, dict), *, one: bool = False
) -> bool:
    """Whether the file is JSON Lines: a whole value on its first line and more below it, whatever its name ends in.

    Args:
        of: what the value must be: by default an object.
        one: whether a single line will do, if it is none of the size of a file.
    """
    with encoding.open(path) as file:
        for line in file:
            text = line.strip("\ufeff \t\r\n")
            if not text:
                continue
            # Not the beginning of a value that goes on below; a whole one is only decoded where it matters.
            if text[0] + text[-1] not in ("{}", "[]") or not ((one and len(text) < _LONG) or any(rest.strip() for rest in file)):
                return False
            try:
                return of(decoded(text))
            except (ValueError, RecursionError):
                return False
    return False


def decoded(text: str) -> Any:
    """The value of a JSON text, for ``written``. Raises ValueError or RecursionError where it is none."""
    return _DECODER.decode(text)


def json_lines_tables(
    path: Path | Packed, source: str, encoding: Encoding, bad: BadRows, ledger: Ledger, chunk_rows: int, lists: str = ""
) -> Iterator[Table]:
    """One object a line, in tables of at most ``chunk_rows``; rows are counted by line. Raises DataError for too many unreadable lines.

    ``lists`` names the column of a line that is a list; without it such a line cannot be read.
    """
    yield from _tables(_objects_by_line(path, encoding, bad, lists), source, ledger, chunk_rows, bad)


def json_tables(path: Path | Packed, source: str, encoding: Encoding, bad: BadRows, ledger: Ledger, chunk_rows: int) -> Iterator[Table]:
    """A list of objects, or {"data": [...]}, in tables of at most ``chunk_rows``; rows are counted from 1.

    Raises:
        DataError: the file is not valid JSON (with the line), or it is not a list of objects.
    """
    with encoding.open(path) as file:
        text = file.read()
    yield from _tables(_objects_in_list(text, source, bad), source, ledger, chunk_rows, bad)


def _objects_by_line(path: Path | Packed, encoding: Encoding, bad: BadRows, lists: str) -> Iterator[tuple[int, dict[str, Any], int]]:
    with encoding.open(path) as file:
        for row, line in enumerate(file, 1):
            stripped = line.strip("\ufeff \t\r\n")
            if not stripped:
                continue
            if encoding.damaged and is_damaged(line):
                readable = line.encode("utf-8", "replace").decode("utf-8")
                bad.add(row, "undecodable", _("it holds bytes that are not UTF-8: {text}.").format(text=quoted(readable)))
                continue
            try:
                value = _DECODER.decode(stripped)
            except (ValueError, RecursionError) as error:
                bad.add(row, "broken_json", _broken(error, stripped))
                continue
            if lists and isinstance(value, list):
                value = {lists: value}
            if isinstance(value, dict):
                yield row, value, len(line)
            else:
                message = _('it holds {text}, not an object such as {{"text": "...", "label": "..."}}.')
                bad.add(row, "not_an_object", message.format(text=quoted(stripped)))


def _objects_in_list(text: str, source: str, bad: BadRows) -> Iterator[tuple[int, dict[str, Any], int]]:
    """The objects of a list one after the other, so that a large file never stands in memory as objects."""
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        yield from ((row, value, 0) for row, value in enumerate(_listed(text, at, source), 1))
        return
    at, row = _skip(text, at + 1), 0
    while text[at : at + 1] != "]":
        row += 1
        start = at
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _invalid(text, error, source, element=row) from error
        if isinstance(value, dict):
            yield row, value, at - start
        else:
            message = _('it holds {text}, not an object such as {{"text": "...", "label": "..."}}.')
            bad.add(row, "not_an_object", message.format(text=quoted(text[start:at])))
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise _invalid(text, json.JSONDecodeError("Expecting ',' delimiter", text, at), source, element=row)
    after = _skip(text, at + 1)
    if after < len(text):
        line = text.count("\n", 0, after) + 1
        message = _("{file}, line {line}: the list has ended, and {text} stands behind it. A file holds one list: join them into one,")
        message = message.format(file=source, line=line, text=quoted(text[after : after + 200])) + " "
        raise DataError(message + _("or write one object a line (.jsonl)."), file=source, row=line)


def _listed(text: str, at: int, source: str) -> list[dict[str, Any]]:
    """The objects under "data" of a JSON object; anything else is an error that says what the file holds."""
    try:
        value = _DECODER.decode(text[at:])
    except (ValueError, RecursionError) as error:
        raise _invalid(text, error, source) from error
    if isinstance(value, dict) and isinstance(value.get("data"), list) and all(isinstance(item, dict) for item in value["data"]):
        return list(value["data"])
    if isinstance(value, dict):
        held = _("one object with the keys {keys}").format(keys=quoted(_(", ").join(value)))
    else:
        held = quoted(text[at : at + 200])
    message = _('{file} is not a list of objects; it holds {held}. Allowed are [{{"text": "...", "label": "..."}}, ...],')
    message = message.format(file=source, held=held) + " " + _('{{"data": [...]}}, or one object a line (.jsonl).').format()
    raise DataError(message, file=source)


def _tables(
    objects: Iterable[tuple[int, dict[str, Any], int]], source: str, ledger: Ledger, chunk_rows: int, bad: BadRows
) -> Iterator[Table]:
    """Tables from objects; a key that an object lacks is null there."""
    names: dict[str, str] = {}
    values: list[dict[str, Any]] = []
    rows: list[int] = []
    size, begun = 0, False
    for row, value, length in objects:
        if not value.keys() <= names.keys():
            names |= {key: key for key in value}
        bad.fine += 1
        values.append(value)
        rows.append(row)
        size += length
        if len(values) >= chunk_rows or size >= _LONG:
            if not bad.exceeded:
                yield _table(names, values, rows, source, ledger)
            values, rows, size, begun = [], [], 0, True
    bad.check()
    if values or (names and not begun):
        yield _table(names, values, rows, source, ledger)


def _table(names: Iterable[str], values: list[dict[str, Any]], rows: list[int], source: str, ledger: Ledger) -> Table:
    keys = list(names)
    cells = [[written(value.get(key)) for key in keys] for value in values]
    return Table.of(column_names(keys, source), cells, rows, source, ledger)


def written(value: Any) -> str | None:
    """A JSON value as a text: numbers as they stood in the file, what is nested as JSON.

    >>> written(True), written(1), written(["a", "好"]), written(None)
    ('true', '1', '["a", "好"]', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Number):
        return value.written
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _broken(error: Exception, text: str) -> str:
    if isinstance(error, json.JSONDecodeError):
        near = quoted(text[max(0, error.pos - 20) : error.pos + 20])
        return _("it is not valid JSON: {problem} near {text}.").format(problem=error.msg, text=near)
    return _("it is not valid JSON: {problem}.").format(problem=error)


def _invalid(text: str, error: Exception, source: str, element: int | None = None) -> DataError:
    """The error for a JSON file whose syntax is broken; there is no safe way to read on behind it."""
    position = error.pos if isinstance(error, json.JSONDecodeError) else 0
    line = text.count("\n", 0, position) + 1
    if position >= len(text.rstrip()):
        problem = _(
            "the file ends in the middle; it was probably cut off. Get it again, or delete the unfinished last object and close the list."
        )
    else:
        problem = _broken(error, text) + " " + _("Repair it there.")
    where = _("{file}, line {line}").format(file=source, line=line)
    if element is not None:
        where += " " + _("(object {number})").format(number=element)
    return DataError(f"{where}: {problem}", file=source, row=element or line)
