"""Tables of translations that name no source and no target, but languages: columns "en" and "de", or one of {"en": ..., "de": ...}.

They get the columns "source" and "target". It knows tables and languages, and no model.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from weitiao.data.languages import Language, language_named
from weitiao.data.table import Table
from weitiao.errors import DataError, UsageError
from weitiao.messages import _

SOURCE, TARGET = "source", "target"
_NUMBERS = ("id", "no")  # as columns these number the rows; Indonesian and Norwegian need --source or --target
NESTED = ("translation", "translations", "翻译")


def with_source_and_target(table: Table, source: str = "", target: str = "") -> Table:
    """A table of translations with the columns "source" and "target"; any other table as it is.

    >>> table = Table.of(["de", "en"], [["Hallo", "Hello"]], [2], "a.csv")
    >>> with_source_and_target(table, "en", "de")[0]
    {'de': 'Hallo', 'en': 'Hello', 'source': 'Hello', 'target': 'Hallo'}

    Args:
        source, target: the languages from which and into which, "" where nobody said: in the file's order then.

    Raises:
        DataError: a language that was named is not there, or there are several to choose from.
    """
    if {SOURCE, TARGET} & {name.lower() for name in table.names}:
        return table
    nested = next((name for name in table.names if name.lower() in NESTED and _is_nested(table.texts(name))), "")
    texts = _unpacked(table, nested) if nested else {name: table.texts(name) for name in table.names if name.lower() not in _NUMBERS}
    languages = {name: one for name in texts if (one := language_named(name)) is not None}
    # A single column of a table is the source where its language was named: a file to be translated.
    if not languages or (not nested and len(languages) < 2 and language_named(source) not in languages.values()):
        return table
    first, second = _direction(languages, source, target, table)
    added = {SOURCE: texts[first], **({TARGET: texts[second]} if second else {})}
    made = Table.of(list(added), list(zip(*added.values(), strict=True)), table.rows)
    note = _("{file}: translated from {source} into {target}; --source-lang and --target-lang turn it round.")
    note = note.format(file=table.source, source=first, target=second or "?")
    of = {name: (nested or column,) for name, column in zip(added, (first, second), strict=False)}
    return replace(table, columns={**table.columns, **made.columns}, notes=(*table.notes, note), made={**table.made, **of})


def _direction(languages: Mapping[str, Language], source: str, target: str, table: Table) -> tuple[str, str]:
    """The names of the source's and the target's texts, the latter "" where there is only one."""
    chosen = []
    for wanted, flag in ((source, "--source-lang"), (target, "--target-lang")):
        meant = language_named(wanted)
        found = [name for name, one in languages.items() if name == wanted or (meant is not None and one == meant)]
        if wanted and not found:
            message = _("{file} has no texts in {wanted}; it has {languages}. Check {flag}.")
            known = _(", ").join(languages)
            raise DataError(message.format(file=table.source, wanted=wanted, languages=known, flag=flag), file=table.source)
        chosen.append(found[0] if wanted else "")
    rest = [name for name in languages if name not in chosen]
    if len(rest) > chosen.count(""):
        message = _("{file} holds texts in {languages}. Say from which into which: --source-lang {first} --target-lang {second}")
        first, second = list(languages)[:2]
        raise UsageError(message.format(file=table.source, languages=_(", ").join(languages), first=first, second=second))
    return chosen[0] or rest.pop(0), chosen[1] or (rest.pop(0) if rest else "")


def _is_nested(texts: Sequence[str | None]) -> bool:
    first = next((text for text in texts if text and text.strip()), "")
    return first.lstrip().startswith("{")


def _unpacked(table: Table, name: str) -> dict[str, list[Any]]:
    """Language -> its texts, from a column of JSON objects. Raises DataError for a row that is none."""
    rows: list[dict[str, Any]] = []
    for row, text in zip(table.rows, table.texts(name), strict=True):
        try:
            value = json.loads(text) if text and text.strip() else {}
        except ValueError:
            value = None
        if not isinstance(value, dict) or not all(isinstance(one, str | None) for one in value.values()):
            message = _('{file}, row {row}: the column "{column}" must hold a text for each language, such as {example}.')
            message = message.format(file=table.source, row=row, column=name, example='{"en": "Hello", "de": "Hallo"}')
            raise DataError(message, file=table.source, row=int(row), column=name)
        rows.append(value)
    keys = dict.fromkeys(key for value in rows for key in value)
    return {key: [value.get(key) for value in rows] for key in keys}
