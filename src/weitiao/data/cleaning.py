"""A table becomes records under a task's field names: what is empty goes, what can be mended is mended, all of it in the ledger.

It knows field types, not tasks. Texts stay exactly as they were written but for NUL characters; labels lose the white space around them.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.data.bad_rows import BadRows
from weitiao.data.column_plan import ColumnPlan
from weitiao.data.columns import require_columns, why_empty
from weitiao.data.ledger import Ledger
from weitiao.data.records import Records
from weitiao.data.table import Table
from weitiao.data.values import parser
from weitiao.errors import DataError
from weitiao.fields import Field
from weitiao.messages import _

# How programs spell a blank that went through them. As labels they mean that nobody gave one; lower-case "none" is left alone.
MISSING = frozenset({"", "nan", "NaN", "NAN", "null", "NULL", "None", "N/A", "#N/A", "<NA>"})
_INVISIBLE = "\u200b\u2060\ufeff\x00"


def to_records(
    table: Table,
    plan: ColumnPlan,
    ledger: Ledger,
    *,
    need_outputs: bool = True,
    prepare: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    max_bad_rows: int = 0,
    bad: BadRows | None = None,
) -> Records:
    """The records of a table, rows with an empty input or a missing label left out.

    >>> table = Table.of(["t", "y"], [["good", " 1"], ["", "0"], ["bad", "nan"]], [2, 3, 4], "a.csv")
    >>> ledger = Ledger()
    >>> to_records(table, ColumnPlan({"text": ("t",), "label": ("y",)}, types={"text": "text", "label": "choice"}), ledger).columns
    {'text': ['good'], 'label': ['1']}
    >>> ledger.counts()
    {'dropped:empty_text': 1, 'repaired:label_whitespace': 1, 'dropped:missing_label': 1}

    Args:
        table: the rows.
        plan: which columns make each field; all must be in the table.
        ledger: gets a line for every row that is dropped or repaired.
        need_outputs: False keeps rows whose label is missing; their label is then None.
        prepare: the task's own check of a record.
        max_bad_rows: rows that may be left out because a value cannot be understood.
        bad: the count of the file's unreadable rows so far, which goes on here in the place of ``max_bad_rows``.

    Returns:
        One value a record under each field of the plan, and the rows' numbers.

    Raises:
        DataError: a column of the plan is missing, or more rows than may be left out hold what cannot be understood.
    """
    require_columns(table, plan)
    keep = np.ones(len(table), dtype=bool)
    whole = BadRows(table.source, max_bad_rows, ledger) if bad is None else bad
    bad = whole.stage(table.source)
    fields: dict[str, list[Any]] = {}
    for name, columns in plan.fields.items():
        kind = plan.types.get(name)
        if kind == "text":
            values: list[Any] = _texts(table, columns, plan.text_separator, ledger)
            reason = f"empty_{name}"
        elif kind == "choice":
            values = _labels(table, columns[0], name, ledger)
            reason = f"missing_{name}"
        else:
            values = _parsed(table, columns, name, kind or "text", bad)
            if kind == "choices" and name in plan.outputs:
                _without_missing(values, table, name, ledger)
            reason = f"missing_{name}"
        fields[name] = values
        if name not in plan.optional and (need_outputs or name not in plan.outputs):
            gone = np.fromiter((value is None for value in values), dtype=bool, count=len(values)) & keep
            if bad.rows:
                gone &= ~np.isin(table.rows, bad.rows)  # these have their line already
            fine = int(np.count_nonzero(keep & ~gone))
            for index in np.flatnonzero(gone):
                if kind == "text" and name in plan.outputs:  # a text that is to be written cannot be left out by oversight alone
                    problem = _('the column "{column}" is empty: there is nothing to learn to write.').format(column=_(", ").join(columns))
                    bad.add(int(table.rows[index]), reason, problem, fine)
                else:
                    ledger.add(table.source, table.rows[index], "dropped", reason, _spelling(table, columns, int(index)))
            keep &= ~gone
    if prepare is not None:
        _prepare(fields, keep, table, bad, ledger, prepare)
    if bad.rows:
        keep &= ~np.isin(table.rows, bad.rows)
    whole.fine = bad.fine = whole.fine + int(keep.sum())
    bad.check()
    if keep.all():
        return Records(fields, table.rows, table.source)
    chosen = np.flatnonzero(keep)
    return Records({name: [values[i] for i in chosen] for name, values in fields.items()}, table.rows[chosen], table.source)


def _parsed(table: Table, columns: tuple[str, ...], name: str, kind: str, bad: BadRows) -> list[Any]:
    """The values of a field that is neither a text nor one label, None where there is none or it cannot be understood."""
    parse = parser(kind, Path(table.source).parent)
    values: list[Any] = []
    known = set(bad.rows)  # a row is listed, and counted, once
    fine = 0
    for row, *cells in zip(table.rows, *(table.texts(column) for column in columns), strict=True):
        if int(row) in known:
            values.append(None)
            continue
        try:
            values.append(parse(cells))
            fine += 1
        except ValueError as error:
            problem = _('column "{column}": {problem}').format(column=_(", ").join(columns), problem=error)
            bad.add(int(row), f"bad_{name}", problem, fine)
            values.append(None)
    return values


def _without_missing(values: list[Any], table: Table, name: str, ledger: Ledger) -> None:
    """Takes out of lists of labels, in place, what is none; a list of nothing else is None, for it does not say that no label fits."""
    for index, labels in enumerate(values):
        kept = [label for label in labels or () if label and label not in MISSING]
        if len(kept) == len(labels or ()):
            continue
        values[index] = kept or None
        if kept:
            ledger.add(table.source, table.rows[index], "repaired", f"missing_in_{name}")


def _prepare(
    fields: dict[str, list[Any]],
    keep: np.ndarray,
    table: Table,
    bad: BadRows,
    ledger: Ledger,
    prepare: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Brings every record that is kept into the task's own form, in place; what a record says was "repaired" goes into the ledger."""
    unreadable = set(bad.rows)
    fine = 0
    for index in np.flatnonzero(keep):
        row = int(table.rows[index])
        if row in unreadable:
            continue
        try:
            record = prepare({name: values[index] for name, values in fields.items()})
        except DataError as error:
            bad.add(row, "bad_record", str(error), fine)
            continue
        fine += 1
        for reason, detail in record.pop("repaired", {}).items():
            ledger.add(table.source, row, "repaired", reason, detail)
        for name, value in record.items():
            if value is not None or name in fields:
                fields.setdefault(name, [None] * len(table))[index] = value


def require_rows(records: Records, table: Table, plan: ColumnPlan, fields: Sequence[Field]) -> None:
    """Raises DataError where a table had rows and none of them could be used; ``fields`` are the task's."""
    if len(records) or not len(table):
        return
    needed = [one for one in fields if one.name in plan.fields and one.name not in plan.optional]
    columns = {one.name: _(", ").join(plan.fields[one.name]) for one in needed}
    empty = next((one for one in needed if all(_is_missing(text) for name in plan.fields[one.name] for text in table.texts(name))), None)
    if empty:
        message = _('{file}: the {field} is empty in all {rows} rows (column "{column}"). Name another column with --{flag} NAME.')
        message = message.format(
            file=table.source, field=_(empty.title), rows=len(table), column=columns[empty.name], flag=empty.flag or empty.name
        )
        message += why_empty(table, plan.fields[empty.name])
        raise DataError(message, file=table.source, column=plan.fields[empty.name][0], unfit=True)
    message = _("{file}: none of its {rows} rows has all that is needed: {fields}. Name other columns with {flags}.")
    listed = _(", ").join(f'{_(one.title)} ("{columns[one.name]}")' for one in needed)
    flags = _(", ").join(f"--{one.flag or one.name} NAME" for one in needed)
    message = message.format(file=table.source, rows=len(table), fields=listed, flags=flags)
    message += why_empty(table, (column for one in needed for column in plan.fields[one.name]))
    raise DataError(message, file=table.source, unfit=True)


def _is_missing(text: str | None) -> bool:
    return text is None or is_blank(text) or text.strip() in MISSING


def _texts(table: Table, columns: tuple[str, ...], separator: str, ledger: Ledger) -> list[str | None]:
    """A text a row, None where nothing in it can be seen; of several columns the empty ones are left out."""
    parts = [table.texts(column) for column in columns]
    if len(parts) == 1:
        texts = parts[0]
    else:
        texts = [separator.join(part for part in row if part and not is_blank(part)) for row in zip(*parts, strict=True)]
    for index, text in enumerate(texts):
        if text is None or is_blank(text):
            texts[index] = None
        elif "\0" in text:
            texts[index] = text.replace("\0", "")
            ledger.add(table.source, table.rows[index], "repaired", "nul_character")
    return texts


def _labels(table: Table, column: str, name: str, ledger: Ledger) -> list[str | None]:
    """A label a row, None for missing ones. The same label is one object, so that a million of them take no room."""
    known: dict[str | None, tuple[str | None, bool]] = {None: (None, False)}  # as written -> the label, and whether that differs
    labels = table.texts(column)
    for index, raw in enumerate(labels):
        if raw not in known:
            clean = (raw or "").replace("\0", "").strip()
            missing = not clean or clean in MISSING
            known[raw] = (None, False) if missing else (clean, clean != raw)
        labels[index], mended = known[raw]
        if mended:
            ledger.add(table.source, table.rows[index], "repaired", f"{name}_whitespace")
    return labels


def _spelling(table: Table, columns: tuple[str, ...], index: int) -> str:
    """How a missing value is written, where something is."""
    raw = "".join(table.columns[column][index] or "" for column in columns).strip()
    return _('It is written "{value}".').format(value=raw[:40]) if raw.strip(_INVISIBLE) else ""


def is_blank(text: str | None) -> bool:
    """Whether nothing in a text can be seen.

    >>> is_blank(" \\u200b"), is_blank("?")
    (True, False)
    """
    if not text:
        return True
    stripped = text.strip()
    return not stripped or (len(stripped) < 8 and not stripped.strip(_INVISIBLE))
