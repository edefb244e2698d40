"""Tables of tokens and tags, and Label Studio's own export, get a column of texts and one of entities. Knows columns, no file and no model.

The cells are JSON: what is wrong with a row is found when its record is prepared, so that it counts as one bad row.
"""

import ast
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from weitiao.config import nearest
from weitiao.data.table import Table
from weitiao.data.tag_schemes import scheme_of
from weitiao.data.words import joined
from weitiao.errors import DataError
from weitiao.messages import _

TOKENS = ("tokens", "words", "token", "word", "字", "词", "词语")
TAGS = ("ner_tags", "tags", "ner", "tag", "ner_labels", "labels", "label", "bio", "iob", "标签", "标注")
SPANS = ("spans", "entities", "实体")
Row = tuple[str | None, str | None]  # the text, and its entities as JSON


def with_spans(
    table: Table, *, tokens: str = "", tags: str = "", names: Sequence[str] = (), scheme: str = "auto", spans: str = ""
) -> Table:
    """The table with columns "text" and "spans", where it has tokens and tags; else as it is.

    >>> table = Table.of(["tokens", "tags"], [['["New", "York"]', '["B-LOC", "I-LOC"]']], [1])
    >>> shaped = with_spans(table)
    >>> shaped.texts("text"), shaped.texts("spans")
    (['New York'], ['{"tokens": ["New", "York"], "tags": ["B-LOC", "I-LOC"], "scheme": "bio"}'])

    Args:
        tokens, tags, spans: columns that the user named.
        names: what tags that are numbers mean.
        scheme: of the tags; "auto" finds it in them.

    Raises:
        DataError: a column was named that is not there.
    """
    for column, flag in ((tokens, "tokens"), (tags, "tags")):
        if column and column not in table.columns:
            message = _('{file} has no column "{column}".').format(file=table.source, column=column) + nearest(column, table.names)
            message += " " + _("Its columns are {columns}; name one with --{flag} NAME.").format(
                columns=_(", ").join(table.names), flag=flag
            )
            raise DataError(message, file=table.source, column=column)
    if {"data", "annotations"} <= set(table.columns):
        return _extended(table, (_label_studio(*cells) for cells in _rows(table, "data", "annotations")), ("data", "annotations"))
    # Entities that are already marked are taken as they are, unless tokens are asked for.
    if not tokens and (spans or _lower(table, SPANS)):
        return table
    tokens = tokens or _listed(table, TOKENS)
    tags = tags or _listed(table, TAGS, but=tokens)
    if not tokens:
        return table
    read = [_values(cell) for cell in table.texts(tokens)]
    own = table.texts("text") if "text" in table.columns and tokens != "text" else [None] * len(table)
    texts = [text or _joined(values) for text, values in zip(own, read, strict=True)]
    if not tags:
        return _extended(table, ((text, None) for text in texts), (tokens,), spans=False)
    tagged = [_named(_values(cell), names) for cell in table.texts(tags)]
    if scheme == "auto":
        scheme = scheme_of([str(tag) for tag in row] for row in tagged if isinstance(row, list))
    rows = ((text, _cell(values, row, scheme)) for text, values, row in zip(texts, read, tagged, strict=True))
    made = _extended(table, rows, (tokens, tags))
    note = _('Texts and entities are made from the columns "{tokens}" and "{tags}" (scheme: {scheme}).')
    return replace(made, notes=(*made.notes, note.format(tokens=tokens, tags=tags, scheme=scheme)))


def _extended(table: Table, rows: Iterable[Row], made_of: tuple[str, ...], *, spans: bool = True) -> Table:
    made = Table.of(["text", "spans"], list(rows), table.rows, table.source)
    columns = {name: column for name, column in made.columns.items() if spans or name == "text"}
    return replace(table, columns={**table.columns, **columns}, made={**table.made, **dict.fromkeys(columns, made_of)})


def _rows(table: Table, *names: str) -> Iterable[tuple[str | None, ...]]:
    return zip(*(table.texts(name) for name in names), strict=True)


def _lower(table: Table, hints: Sequence[str], fits: Callable[[str], bool] = lambda name: True) -> str:
    """The first column whose name is one of the hints, or ""."""
    names = {name.lower(): name for name in table.names}
    return next((names[hint] for hint in hints if hint in names and fits(names[hint])), "")


def _listed(table: Table, hints: Sequence[str], but: str = "") -> str:
    """The first column of lists whose name is one of the hints, or ""."""

    def fits(name: str) -> bool:
        cells = (cell for cell in table.texts(name) if cell)
        return name != but and next(cells, "").lstrip().startswith("[")

    return _lower(table, hints, fits)


def _values(cell: str | None) -> Any:
    """A cell's list: JSON, as Python prints one, or words with spaces between; the text itself where it begins like a list and is none."""
    if cell is None:
        return None
    if not cell.lstrip().startswith("["):
        return cell.split()
    for read in (json.loads, ast.literal_eval):
        try:
            return read(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return cell


def _joined(tokens: Any) -> str | None:
    """The text of tokens; of what is no list of them something that can be seen, so that the row is refused rather than passed over."""
    return joined(["" if token is None else str(token) for token in tokens])[0] if isinstance(tokens, list) else tokens


def _named(tags: Any, names: Sequence[str]) -> Any:
    if not isinstance(tags, list):
        return tags
    known = {str(number): name for number, name in enumerate(names)}
    return [known.get(str(tag), tag if tag is None else str(tag)) for tag in tags]


def _cell(tokens: Any, tags: Any, scheme: str) -> str | None:
    return None if tags is None else json.dumps({"tokens": tokens, "tags": tags, "scheme": scheme}, ensure_ascii=False)


def _label_studio(data: str | None, annotations: str | None) -> Row:
    """A task of Label Studio: its text, and the results of its first annotation that was not cancelled."""
    try:
        texts, marked = json.loads(data or "{}"), json.loads(annotations or "[]")
        text = texts.get("text") or next((value for value in texts.values() if isinstance(value, str)), None)
        given = next((one["result"] for one in marked if not one.get("was_cancelled")), None)
        spans = given and [result["value"] for result in given if "start" in result.get("value", {})]
    except (ValueError, AttributeError, KeyError, TypeError):
        return data, annotations
    return text, None if given is None else json.dumps(spans or [], ensure_ascii=False)
