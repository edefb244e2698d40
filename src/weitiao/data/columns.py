"""Finds which column is what. It knows names and values, a task's fields by type, and no task by name.

A column is taken because it was named, because of its own name, or because of what it holds, in this order; the plan says why. Where two
are equally good, or none is, that is an error that lists them: a guess would cost a training run.
"""

import re
from collections.abc import Container, Iterable, Mapping, Sequence

from weitiao.config import nearest
from weitiao.data.column_content import LOOKS_LIKE, Profile, cannot_be, clearest, profiles
from weitiao.data.column_plan import ColumnPlan, roles
from weitiao.data.table import Table
from weitiao.errors import DataError, UsageError
from weitiao.fields import Field, FieldType
from weitiao.messages import _
from weitiao.quantities import quoted, some

_PARTS = re.compile(r"[\W_]+")


def plan_columns(
    table: Table,
    inputs: Sequence[Field],
    outputs: Sequence[Field],
    chosen: Mapping[str, str | Sequence[str]] = {},
    text_separator: str = "\n",
    *,
    need_outputs: bool = True,
) -> ColumnPlan:
    """Finds the column or columns of every field.

    >>> text, label = Field("text", "text", "Text", "text", ("text", "文本")), Field("label", "choice", "Label", "label", ("label", "标签"))
    >>> table = Table.of(["序号", "文本", "标签"], [["1", "很好", "好"], ["2", "很差", "差"]], [2, 3])
    >>> plan_columns(table, [text], [label]).fields
    {'text': ('文本',), 'label': ('标签',)}

    Args:
        table: the rows, or the first piece of them.
        inputs, outputs: the task's fields.
        chosen: a field's flag -> the columns that the user named for it.
        text_separator: what joins several columns of a text.
        need_outputs: False where labels may be absent: outputs are then taken only where they are plain to see.

    Raises:
        DataError: a column that was named is not there, none fits a field, or several fit equally well.
        UsageError: several columns, or one that is already taken, were named for a field.
    """
    found: dict[str, tuple[str, ...]] = {}
    why: dict[str, str] = {}
    for one in (*inputs, *outputs):
        columns = _named(one, chosen, table, found)
        if columns:
            found[one.name], why[one.name] = columns, _("You named it.")
    seen = profiles(table)
    for one in (*inputs, *outputs):
        if one.name not in found:
            needed = not one.optional and (need_outputs or one in inputs)
            spoken = {hint for other in (*inputs, *outputs) if other is not one for hint in other.hints}
            column, reason = _by_name(one, table, seen, found, spoken, needed=needed)
            if column:
                found[one.name], why[one.name] = (column,), _made_of(column, table) or reason
    wanting = [one for one in (*inputs, *(outputs if need_outputs else ())) if one.name not in found and not one.optional]
    if wanting:
        _need_header(table, seen, found)
        for one in wanting:
            column, reason = _by_content(one, table, seen, found)
            found[one.name], why[one.name] = (column,), reason
    order = [one for one in (*inputs, *outputs) if one.name in found]
    used = table.read_from(_taken(found))
    return ColumnPlan(
        fields={one.name: found[one.name] for one in order},
        why={one.name: why[one.name] for one in order},
        types={one.name: _type(one, [seen[column] for column in found[one.name]]) for one in order},
        unused=tuple(name for name in table.names if name not in used),
        text_separator=text_separator,
        optional=roles(inputs, outputs)[0],
        outputs=roles(inputs, outputs)[1],
    )


def as_pairs(chosen: Mapping[str, tuple[str, ...]], inputs: Sequence[Field]) -> dict[str, tuple[str, ...]]:
    """What the user named, with two columns of a text that can have a second one read as the pair they are.

    >>> as_pairs({"text": ("a", "b")}, [Field("text", "text", "Text", "text", second="pair"), Field("pair", "text", "Second", "pair")])
    {'text': ('a',), 'pair': ('b',)}
    """
    read = dict(chosen)
    for one in inputs:
        flags = [_flag(other) for other in inputs if other.name == one.second]
        if flags and len(read.get(_flag(one), ())) == 2 and not read.get(flags[0]):
            first, second = read[_flag(one)]
            read |= {_flag(one): (first,), flags[0]: (second,)}
    return read


def _type(one: Field, columns: Sequence[Profile]) -> FieldType:
    """What the values are: several choices where one was declared and the column holds lists, be it beside plain labels."""
    return "choices" if one.several and all(column.lists or column.listed for column in columns) else one.type


def require_columns(table: Table, plan: ColumnPlan) -> None:
    """Raises DataError, naming the file, where a table lacks a column of the plan (made from another file)."""
    for name, columns in plan.fields.items():
        for column in columns:
            if column not in table.columns:
                raise _no_column(column, table, name)


def _made_of(column: str, table: Table) -> str:
    """A sentence that says of which of the file's columns one was made, "" where it stands in the file itself."""
    of = table.made.get(column, ())
    return _("It was made from {columns}.").format(columns=_(", ").join(f'"{name}"' for name in of)) if of and column not in of else ""


def why_empty(table: Table, columns: Iterable[str]) -> str:
    """A sentence, with a space before it, where some of the columns have no values for want of calculating them; else ""."""
    unsaved = [column for column in columns if column in table.unsaved]
    if not unsaved:
        return ""
    message = _("The formulas in {columns} were saved without their values: open the file in Excel or LibreOffice, save it, and try again.")
    return " " + message.format(columns=_(", ").join(f'"{column}"' for column in unsaved))


def _named(one: Field, chosen: Mapping[str, str | Sequence[str]], table: Table, found: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The columns that the user named for a field, () for none."""
    given = chosen.get(_flag(one)) or ()
    columns = (given,) if isinstance(given, str) else tuple(given)
    for column in columns:
        if column not in table.columns:
            raise _no_column(column, table, _flag(one))
    if len(columns) > 1 and one.type not in ("text", "choices"):
        message = _("--{flag} takes one column; given are {columns}.").format(flag=_flag(one), columns=_(", ").join(columns))
        raise UsageError(message)
    again = [column for column in columns if column in _taken(found) or columns.count(column) > 1]
    if again:
        message = _('The column "{column}" was named twice; a column can be one thing only. Check --{flag}.')
        raise UsageError(message.format(column=again[0], flag=_flag(one)))
    return columns


def _by_name(
    one: Field, table: Table, seen: Mapping[str, Profile], found: Mapping[str, tuple[str, ...]], spoken: Container[str], *, needed: bool
) -> tuple[str, str]:
    """The column whose name means the field, and why; ("", "") for none. Raises DataError for several, if the field is needed.

    ``spoken`` are names that mean other fields of the task.
    """
    untaken = [name for name in table.names if name not in _taken(found)]
    # Names that differ only in case mean the same, so that neither is plainly the right one.
    free: dict[str, list[str]] = {}
    for name in untaken:
        if one.varied or not cannot_be(one.type, seen[name]):
            free.setdefault(name.lower(), []).append(name)
    exact = [name for hint in one.hints for name in free.get(hint, ())]
    # The first hint of each language is the field's very name: beside it, any other is just another column.
    first = [name for hint in _first_hints(one.hints) for name in free.get(hint, ())]
    looks = LOOKS_LIKE.get(one.type)
    if len(first) == 1 or len(exact) == 1:
        name = (first or exact)[0]
        if needed and not first and one.type == "text" and looks is not None:
            # Only probably the right one ("title"): a longer text beside it ("abstract") is as good.
            others = [seen[other] for lower, same in free.items() for other in same if other != name and lower not in spoken]
            longer = [column for column in others if looks(column) and column.mean_length > seen[name].mean_length]
            if longer:
                raise _ambiguous(one, table, [seen[name], *longer])
        return name, _('Its name is "{name}".').format(name=name)
    likely = exact or [name for lower, same in free.items() for name in same if any(_is_part(hint, lower) for hint in one.hints)]
    fitting = [name for name in likely if looks is None or looks(seen[name])]
    if len(fitting) == 1:
        return fitting[0], _('Its name, "{name}", and its values say so.').format(name=fitting[0])
    if fitting and needed:
        raise _ambiguous(one, table, [seen[name] for name in fitting])
    return "", ""


def _by_content(one: Field, table: Table, seen: Mapping[str, Profile], found: Mapping[str, tuple[str, ...]]) -> tuple[str, str]:
    """The column whose values look like the field, and why. Raises DataError for none or several."""
    free = [seen[name] for name in table.names if name not in _taken(found)]
    if one.type == "text" and len(table.names) == 1 and free:
        return free[0].name, _("It is the only column.")
    looks = LOOKS_LIKE.get(one.type)
    candidates = [column for column in free if looks is not None and looks(column)]
    best = clearest(one.type, candidates)
    if best is None and candidates:
        raise _ambiguous(one, table, candidates)
    if best is None:
        message = _("{file}: no column looks like the {field}. There are: {columns}. Name it with --{flag} NAME.")
        columns = _listed(seen[name] for name in table.names)
        message = message.format(file=table.source, field=_(one.title), columns=columns, flag=_flag(one))
        raise DataError(message + why_empty(table, table.names), file=table.source, unfit=True)
    if one.type == "choice":
        return best.name, _("It is the only other column with few different values ({count}).").format(count=best.distinct)
    return best.name, _("It holds the longest texts ({count} characters on average).").format(count=round(best.mean_length))


def _need_header(table: Table, seen: Mapping[str, Profile], found: Mapping[str, tuple[str, ...]]) -> None:
    """Raises DataError where the first row is plainly an example: a column's name occurs among its own few values."""
    for name, column in seen.items():
        if not found and column.counts.get(name, 0) > 0 and column.distinct <= max(2, column.filled // 2):
            message = _(
                '{file} seems to have no header: "{name}", in its first row, is also a value of that column. Add a first row such as'
            )
            example = "«" + ",".join("label" if other == name else "text" for other in table.names) + "»."
            raise DataError(f"{message.format(file=table.source, name=name)} {example}", file=table.source, row=1, column=name, unfit=True)


def _no_column(column: str, table: Table, flag: str) -> DataError:
    message = _('{file} has no column "{column}".').format(file=table.source, column=column) + nearest(column, table.names)
    there = quoted(_(", ").join(table.names), 300)
    message += " " + _("Its columns are {columns}; name one with --{flag} NAME.").format(columns=there, flag=flag)
    return DataError(message, file=table.source, column=column)


def _ambiguous(one: Field, table: Table, candidates: Sequence[Profile]) -> DataError:
    message = _("{file}: several columns could be the {field}: {columns}. Say which, for example --{flag} {first}")
    first = f'"{candidates[0].name}"' if " " in candidates[0].name else candidates[0].name
    message = message.format(file=table.source, field=_(one.title), columns=_listed(candidates), flag=_flag(one), first=first)
    if one.type == "text":
        names = ",".join(column.name for column in candidates)
        hint = _('(or join them: --{flag} "{names}")')
        if one.second and len(candidates) == 2:  # see ``as_pairs``
            hint = _('(or take both as a pair: --{flag} "{names}"; or joined, with --text-separator " " beside it)')
        message += " " + hint.format(flag=_flag(one), names=names)
    return DataError(message, file=table.source, unfit=True)


def _listed(columns: Iterable[Profile]) -> str:
    """The columns, each with one of its values."""
    return some((f'"{column.name}" ({quoted(column.example, 40)})' for column in columns), 12)


def _first_hints(hints: Sequence[str]) -> list[str]:
    english = [hint for hint in hints if hint.isascii()][:1]
    return english + [hint for hint in hints if not hint.isascii()][:1]


def _is_part(hint: str, name: str) -> bool:
    """Whether a hint is one of the words of a name ("review_text"); Chinese names have no spaces ("评论内容")."""
    if not hint.isascii():
        return hint in name
    return len(hint) > 1 and hint in _PARTS.split(name)


def _flag(one: Field) -> str:
    return one.flag or one.name


def _taken(found: Mapping[str, tuple[str, ...]]) -> set[str]:
    return {column for columns in found.values() for column in columns}
