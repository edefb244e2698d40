"""The three stages of one answer on the terminal, and the words that moved it. Draws the facts of ``Model.explain``; computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from weitiao.cli.predictions import predictions
from weitiao.cli.readings import MOST, bar, indented, readings, shape_of, table
from weitiao.cli.tables import heading, pairs
from weitiao.cli.token_grid import legend, token_grid
from weitiao.messages import N_, _
from weitiao.quantities import number, one_line
from weitiao.report.shown import coloured, label_rows, moved, settings
from weitiao.report.tokens import visible

ROWS = 3  # whose tokens are shown
MOVED = 10  # words
LABELS = 2 * MOST  # rows of the table of labels

ENCODE = N_("Encode: the text becomes numbers")
FORWARD = N_("Forward: the numbers go through the network")
DECODE = N_("Decode: the numbers become the answer")
MOVING = N_("Which words moved the answer")
LEAVE_ONE_OUT = N_(
    "Leave-one-out: each word is left out in turn, and the model is asked again. If the figure falls without a word, the word spoke for "
    "it; if it rises, against it. This shows what the model reacts to, not why; words that only work together, or say the same twice, may "
    "seem to matter less than they do."
)
AT_ONCE = N_("The text has {total} words, so {count} neighbouring ones are left out at a time.")


def stages(facts: Mapping[str, Any], said: str, width: int, second: str = "") -> Iterator[RenderableType]:
    """Everything, top to bottom.

    Args:
        said: what people recognise the input by.
        width: of the terminal.
        second: the text that it is compared with, "" where there is none.
    """
    yield heading("1  " + _(ENCODE))
    yield from _encode(facts, width)
    yield heading("2  " + _(FORWARD))
    yield from _forward(facts)
    yield heading("3  " + _(DECODE))
    yield from _decode(facts, said, width, second)
    if facts["influence"] is not None:
        yield heading(_(MOVING))
        yield from _moved(facts, width)


def _encode(facts: Mapping[str, Any], width: int) -> Iterator[RenderableType]:
    encode = facts["encode"]
    rows = encode["rows"]
    if len(rows) > 1:
        yield _line(_("It becomes {count} rows.").format(count=len(rows)))
    for at, row in enumerate(rows[:ROWS]):
        yield _line(_summary(row, at, len(rows), encode["max_length"]))
        yield from token_grid(row, width)
        for name, shape in row["arrays"].items():
            yield _line(f"  {name} {shape_of(shape)}")
    yield _line(legend(rows[:ROWS]), "dim")
    if len(rows) > ROWS:
        yield _line(_("{count} of {all} rows are shown (all of them: --html or --json).").format(count=ROWS, all=len(rows)), "dim")
    if not any(row["padding"] for row in rows):
        padding = {"token": visible(encode["padding"]["token"]), "id": encode["padding"]["id"]}
        message = _("No padding is needed. In a batch with longer texts, {token} (id {id}) would fill the row, its attention_mask 0.")
        yield _line(message.format(**padding), "dim")


def _summary(row: Mapping[str, Any], at: int, count: int, limit: int) -> str:
    """How many tokens of what."""
    special = sum(token["kind"] == "special" for token in row["tokens"])
    text = _("{count} tokens ({special} special) of at most {limit}").format(count=row["length"], special=special, limit=limit)
    text += _("; {count} of padding").format(count=row["padding"]) if row["padding"] else ""
    text += _("; {count} did not fit and were cut").format(count=row["cut"]) if row["cut"] else ""
    return _("Row {number} of {count}").format(number=at + 1, count=count) + " · " + text if count > 1 else text


def _forward(facts: Mapping[str, Any]) -> Iterator[RenderableType]:
    forward = facts["forward"]
    line = _("{network}, {parameters:,} parameters, on {device} in {precision}")
    yield _line(line.format(**{name: forward[name] for name in ("network", "parameters", "device", "precision")}))
    if forward["packed"] and any(row["padding"] for row in facts["encode"]["rows"]):
        yield _line(_("Padding is taken out inside its layers; the numbers are the same."), "dim")
    if forward["calls"] > 1:
        yield _line(
            _("It was called {count} times; these are the names and shapes of the first call.").format(count=forward["calls"]), "dim"
        )
    drawn = table("", _("name"), _("shape"), _("type"))
    # A long name may give way, these may not.
    drawn.columns[0].min_width, drawn.columns[3].min_width = max(Text(_(word)).cell_len for word in ("in", "out")), len("float32")
    for title, entries in ((_("in"), forward["inputs"]), (_("out"), forward["outputs"])):
        for at, entry in enumerate(entries):
            drawn.add_row(
                Text(title if not at else "", style="dim"), Text(entry["name"]), _shape(entry), Text(entry.get("dtype", ""), "dim")
            )
    yield indented(drawn)
    yield ""
    yield from readings(facts)


def _shape(entry: Mapping[str, Any]) -> str:
    if "shape" not in entry:
        return str(entry.get("kind", ""))
    return (f"{entry['count']} × " if "count" in entry else "") + shape_of(entry["shape"])


def _decode(facts: Mapping[str, Any], said: str, width: int, second: str) -> Iterator[RenderableType]:
    decode = facts["decode"]
    if decode["labels"]:
        yield _line(_("The label table: what each id means"))
        yield _label_table(decode)
    elif facts["forward"]["rows"] and facts["forward"]["rows"][0]["kind"] in ("masks", "steps"):
        yield _line(_("The table is the tokenizer's vocabulary: {count:,} ids, a token each.").format(count=decode["vocabulary"]))
    known = settings(decode["spec"])
    if known:
        yield ""
        yield _line(_("Learned or set beside it"))
        yield Padding(pairs(known), (0, 0, 0, 2), expand=False)
    yield ""
    yield _line(_("The answer"), "bold")
    seconds = [visible(second)] if second else ()
    drawn = predictions([visible(said)], [_harmless(decode["answer"])], width=width - 4, seconds=seconds)
    yield from (Padding(one, (0, 0, 0, 4)) for one in drawn)


def _harmless(value: Any) -> Any:
    """An answer whose texts move no cursor; lines stay lines."""
    if isinstance(value, Mapping):
        return {_harmless(name): _harmless(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_harmless(one) for one in value]
    return "\n".join(map(visible, value.split("\n"))) if isinstance(value, str) else value


def _label_table(decode: Mapping[str, Any]) -> RenderableType:
    """Ids and labels; beside them the answer's probabilities, where it has some for these labels."""
    rows, left = label_rows(decode, LABELS), len(decode["labels"]) - LABELS
    scored = rows[0]["share"] is not None
    drawn = table("id", _("label"), *([_("probability"), ""] if scored else []), right=(0, 2))
    for row in rows:
        name = ("▸ " if row["chosen"] else "  ") * scored + one_line(visible(row["label"]), 40)
        cells: list[str | Text] = [number(row["share"]), bar(row["share"], "green" if row["chosen"] else "cyan")] if scored else []
        drawn.add_row(str(row["id"]), Text(name, style="bold" if row["chosen"] else ""), *cells)
    if left > 0:
        drawn.add_row("", Text(_("and {count} more labels").format(count=left), style="dim"))
    return indented(drawn)


def _moved(facts: Mapping[str, Any], width: int) -> Iterator[RenderableType]:
    """The texts with their words coloured, and the words that changed most, for each figure."""
    influence = facts["influence"]
    yield _line(_(LEAVE_ONE_OUT), "dim")
    if influence["at_once"] > 1:
        yield _line(_(AT_ONCE).format(total=influence["total"], count=influence["at_once"]), "dim")
    for pieces in coloured(facts):
        yield Padding(_in_colours(pieces), (1, 0, 0, 4), expand=False)
    for measure in moved(influence, number):
        yield ""
        yield _line(measure_title(measure), "bold")
        yield _words(measure["words"][:MOVED], width)


def measure_title(measure: Mapping[str, Any]) -> str:
    """What rises and falls, and where it stands with every word in place."""
    if measure["kind"] == "probability":
        return _('The probability of "{label}" is {value}').format(label=visible(measure["name"]), value=number(measure["value"]))
    return _("The number is {value}").format(value=number(measure["value"]))


def _words(words: Sequence[Mapping[str, Any]], width: int) -> RenderableType:
    drawn = table(_("without"), _("it is"), _("change"), "", _("and the answer"), right=(1, 2))
    drawn.columns[0].max_width = max(12, width // 3)
    for word in words:
        drawn.add_row(
            Text(one_line(visible(word["text"]), 60)),
            number(word["without"]),
            f"{word['change']:+.3f}",
            bar(word["width"], "green" if word["change"] < 0 else "red"),
            Text(one_line(word["answer"], 24)),
        )
    return indented(drawn)


def _in_colours(pieces: Sequence[Mapping[str, Any]]) -> Text:
    """A text in which what spoke for the first figure is green and what spoke against it red; what hardly mattered stays as it is."""
    line = Text(overflow="fold")
    for piece in pieces:
        strength = abs(piece["weight"])
        style = "" if strength < 0.1 else ("green" if piece["weight"] > 0 else "red") + (" bold" if strength > 0.5 else "")
        line.append(visible(piece["text"].replace("\n", " ")), style=style)
    return line


def _line(text: str, style: str = "") -> RenderableType:
    return Padding(Text(text, style=style, overflow="fold"), (0, 0, 0, 2), expand=False)
