"""The tokens of one row side by side, under each its id, its mask and what it is: as many to a line as the terminal holds. Knows the facts
that ``engine.explaining`` gives of a row, and no model.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from weitiao.messages import N_, _
from weitiao.report.tokens import legible

TOKENS = 96  # shown of a row
PADDING = 3  # shown of its padding
_FACTS = {"token", "text", "id", "kind", "part", "characters"}
STYLES = {"special": "magenta", "padding": "dim", "unknown": "yellow", "text": ""}
LEGEND = {
    "S": N_("special token"),
    "P": N_("padding"),
    "?": N_("not in the vocabulary"),
    "1": N_("first text"),
    "2": N_("second text"),
}


def token_grid(row: Mapping[str, Any], width: int) -> Iterator[RenderableType]:
    """Lines of tokens, then how many more there are."""
    shown = _shown(row)
    names = [name for name in (shown[0] if shown else {}) if name not in _FACTS]
    paired = _paired(row["tokens"])
    titles = [_("token"), "input_ids", *names, _("kind")]
    room = max(len("attention_mask"), *(Text(title).cell_len for title in titles)) + 2
    columns = [[legible(token), str(token["id"]), *(str(token[name]) for name in names), letter(token, paired=paired)] for token in shown]
    for block in _blocks(columns, max(width - room - 4, 24)):
        yield from _lines(block, titles, room, [STYLES[shown[at]["kind"]] for at in range(block.start, block.stop)], columns)
        yield ""
    left = {"text": row["length"] - sum(t["kind"] != "padding" for t in shown), "padding": row["padding"] - sum(map(_is_padding, shown))}
    if left["text"] > 0:
        yield Text("    " + _("… and {count} more (all of them: --html or --json)").format(count=left["text"]), style="dim")
    if left["padding"] > 0:
        yield Text("    " + _("… and {count} more of padding").format(count=left["padding"]), style="dim")


def legend(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the letters under the rows' tokens mean."""
    used = {letter(token, paired=_paired(row["tokens"])) for row in rows for token in _shown(row)}
    return " · ".join(f"{mark} {_(meaning)}" for mark, meaning in LEGEND.items() if mark in used)


def letter(token: Mapping[str, Any], *, paired: bool) -> str:
    """What a token is, in one character; see ``LEGEND``.

    >>> letter({"kind": "special", "part": None}, paired=True), letter({"kind": "text", "part": 1}, paired=True)
    ('S', '2')
    """
    mark = {"special": "S", "padding": "P", "unknown": "?"}.get(token["kind"])
    return mark or (str(token["part"] + 1) if paired and token["part"] is not None else "·")


def _shown(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    real = row["tokens"][: row["length"]][:TOKENS]
    return [*real, *row["tokens"][row["length"] :][:PADDING]]


def _paired(tokens: Sequence[Mapping[str, Any]]) -> bool:
    return any(token["part"] == 1 for token in tokens)


def _is_padding(token: Mapping[str, Any]) -> bool:
    return bool(token["kind"] == "padding")


def _blocks(columns: Sequence[Sequence[str]], room: int) -> Iterator[range]:
    """Stretches of columns that fit on a line."""
    first, used = 0, 0
    for at, column in enumerate(columns):
        wide = _widest(column) + 2
        if used + wide > room and at > first:
            yield range(first, at)
            first, used = at, 0
        used += wide
    if columns:
        yield range(first, len(columns))


def _lines(block: range, titles: Sequence[str], room: int, styles: Sequence[str], columns: Sequence[Sequence[str]]) -> Iterator[Text]:
    for line, title in enumerate(titles):
        text = Text("    ", no_wrap=True, overflow="ellipsis")
        text.append(title + " " * (room - Text(title).cell_len), style="dim")
        for at, style in zip(block, styles, strict=True):
            cell = columns[at][line]
            text.append(cell, style=style if line == 0 else "dim" if style == "dim" else "")
            text.append(" " * (_widest(columns[at]) + 2 - Text(cell).cell_len))
        text.rstrip()
        yield text


def _widest(column: Sequence[str]) -> int:
    return max(Text(cell).cell_len for cell in column)
