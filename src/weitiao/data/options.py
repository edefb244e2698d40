"""A question's options, however a file lays them out, become one column of lists. It knows layouts, no task.

Understood are columns of one option each (ending0, ending1, ...; A, B, C, D; choice_1, choice_2), the hub's
{"text": [...], "label": ["A", "B", ...]}, and lists of {"label": "A", "text": "..."}.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from weitiao.data.table import Table
from weitiao.errors import DataError
from weitiao.messages import _

_NUMBERED = re.compile(r"(ending|endings|option|opt|choice|answer|candidate|sol|选项)?[ _-]?(\d|[a-z])")


def option_columns(table: Table) -> Table:
    """The table with a column "options" from columns that are named in a row; as it was where there are none.

    A row that lacks the last ones has fewer options; a gap before a filled one stays an empty option.
    """
    names = _in_a_row(table)
    if not names or "options" in table.columns:
        return table
    rows = zip(*(table.texts(name) for name in names), strict=True)
    lists = [json.dumps([text or "" for text in row], ensure_ascii=False) for row in rows]
    note = _("The options are the columns {columns}.").format(columns=_(", ").join(names))
    return table.with_column("options", lists, note, made_of=names)


def with_options(table: Table, options: str, answers: str) -> Table:
    """The table with plain lists of texts where a column holds options with labels of their own; an answer that is one of these labels
    becomes the option's index. As it was where there are none.

    Args:
        options, answers: names of columns; one that is not there is left to others to miss.
    """
    if options not in table.columns:
        return table
    cells = [_labelled(cell) for cell in table.texts(options)]
    if not any(cells):
        return table
    kept = zip(cells, table.texts(options), strict=True)
    table = table.with_column(options, [json.dumps(list(cell.values()), ensure_ascii=False) if cell else text for cell, text in kept])
    if answers not in table.columns:
        return table
    given = zip(cells, table.texts(answers), strict=True)
    return table.with_column(answers, [_named(cell, answer) for cell, answer in given])


def refuse_gaps(table: Table, columns: Sequence[str]) -> None:
    """Raises DataError, naming the row, where a column is empty and a later one is not: an answer by number could mean either."""
    if not all(name in table.columns for name in columns):
        return
    rows = zip(table.rows.tolist(), *(table.texts(name) for name in columns), strict=True)
    for row, *cells in rows:
        filled = [bool(cell and cell.strip()) for cell in cells]
        if filled != sorted(filled, reverse=True):
            message = _('{file}, row {row}: the option "{column}" is empty and a later one is not. Fill it, or move the later ones up.')
            column = columns[filled.index(False)]
            raise DataError(message.format(file=table.source, row=row, column=column), file=table.source, row=row, column=column)


def _in_a_row(table: Table) -> list[str]:
    """The longest run of columns that have the same name but for a number or letter, from 0, 1 or a; at least two."""
    groups: dict[str, dict[str, str]] = {}
    for name in table.names:
        match = _NUMBERED.fullmatch(name.strip().lower())
        # A bare number is no name of an option, and a single column "a" or "x" may be anything.
        if match and (match[1] or match[2].isalpha()):
            groups.setdefault(match[1] or "", {})[match[2]] = name
    runs = [run for group in groups.values() for first in "01a" if len(run := _run(group, first)) >= 2]
    return max(runs, key=len, default=[])


def _run(group: dict[str, str], first: str) -> list[str]:
    names, at = [], ord(first)
    while chr(at) in group:
        names.append(group[chr(at)])
        at += 1
    return names


def _labelled(cell: str | None) -> dict[str, Any] | None:
    """Label -> text of a cell that holds options with labels, None for any other cell."""
    if not cell or cell.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(cell, strict=False)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and value and all(isinstance(one, dict) and {"label", "text"} <= one.keys() for one in value):
        value = {"text": [one["text"] for one in value], "label": [one["label"] for one in value]}
    if not isinstance(value, dict) or not isinstance(value.get("text"), list) or not isinstance(value.get("label"), list):
        return None
    labels = [str(label) for label in value["label"]]
    return dict(zip(labels, value["text"], strict=True)) if len(set(labels)) == len(value["text"]) else None


def _named(options: dict[str, Any] | None, answer: str | None) -> str | None:
    """An answer's index where it is a label, else the answer."""
    labels = list(options or ())
    return str(labels.index(answer.strip())) if answer and answer.strip() in labels else answer
