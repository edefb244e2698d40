"""What a network gave, drawn by what it is: logits of labels or of tokens, ends of a span, words for masks, vectors, steps of writing.

It knows the kinds that ``engine.readings`` tells apart, and no task.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weitiao.messages import N_, _
from weitiao.quantities import number, one_line
from weitiao.report.tokens import legible, visible

MOST = 12  # rows of a table
MOST_TOKENS = 40  # tokens with their logits, and steps of writing
BEST = 5  # ends of a span
WINDOWS = 3  # of several, how many are drawn
BAR = 16
SHARED = 12  # characters that texts may begin with alike

BEST_PAIR = N_(
    "The best pair of a start and an end behind it is taken, both in the text that holds the answer; other tokens stand for no answer."
)
SQUASHES = {"softmax": N_("softmax"), "sigmoid": N_("sigmoid"), "rows": N_("softmax over rows")}
Row = Mapping[str, Any]


def readings(facts: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The rows' readings; rows of one kind that are small share a table."""
    rows = facts["forward"]["rows"]
    kind = rows[0]["kind"] if rows else ""
    if kind == "labels" and len(rows) > 1:
        yield _rows_of_logits(facts)
    elif kind == "vector":
        yield _vectors(facts)
    else:
        for at in _worth(rows):
            if len(rows) > 1:
                yield ""
                yield _aside(_("Row {number} of {count}").format(number=at + 1, count=len(rows)))
            yield from DRAWN.get(kind, _arrays)(rows[at], facts, at)
    if kind == "span":
        yield _aside(_(BEST_PAIR))
    if len(rows) > WINDOWS and kind in ("span", "tokens"):
        yield _aside(_("{count} of {all} rows are shown (all of them: --html or --json).").format(count=WINDOWS, all=len(rows)))


def bar(value: float, style: str = "cyan") -> Text:
    """A share of one as a bar."""
    filled = round(max(0.0, min(1.0, value)) * BAR)
    return Text("█" * filled, style=style)


def table(*titles: str, right: Sequence[int] = ()) -> Table:
    """A light table; the columns ``right`` hold numbers."""
    made = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
    for at, title in enumerate(titles):
        made.add_column(title, justify="right" if at in right else "left", overflow="ellipsis", no_wrap=True)
    return made


def indented(renderable: RenderableType) -> RenderableType:
    """Under the line that it belongs to."""
    return Padding(renderable, (0, 0, 0, 4), expand=False)


def _worth(rows: Sequence[Row]) -> list[int]:
    """Which rows are drawn: all, or of many windows those that hold the answer and those with the strongest ends."""
    if len(rows) <= WINDOWS:
        return list(range(len(rows)))
    if rows[0]["kind"] == "span":
        strength = [max(row["start_logits"]) + max(row["end_logits"]) for row in rows]
        return sorted(sorted(range(len(rows)), key=lambda at: (not rows[at].get("answer"), -strength[at]))[:WINDOWS])
    return list(range(WINDOWS if rows[0]["kind"] == "tokens" else len(rows)))


def _labels(row: Row, facts: Mapping[str, Any], _at: int) -> Iterator[RenderableType]:
    """One logit a label, in the labels' order; of many the largest."""
    shares, squash = row["probabilities"], facts["forward"]["squash"]
    drawn = table("id", "logit", *([_(SQUASHES[squash]), ""] if shares else []), right=(0, 1, 2))
    order = list(range(len(row["logits"])))
    if len(order) > MOST:
        order = sorted(order, key=lambda at: -row["logits"][at])[:MOST]
    for at in order:
        cells: list[str | Text] = [number(shares[at]), bar(shares[at])] if shares else []
        drawn.add_row(str(at), number(row["logits"][at]), *cells)
    yield indented(drawn)
    if len(order) < len(row["logits"]):
        yield _aside(_("The {count} largest of {all}.").format(count=len(order), all=len(row["logits"])))


def _rows_of_logits(facts: Mapping[str, Any]) -> RenderableType:
    """One line a row: its text, its logits, and what they come to."""
    forward, texts = facts["forward"], told_apart([row["text"] for row in facts["encode"]["rows"]])
    shares = forward.get("over_rows")
    drawn = table(_("row"), _("text"), _("logits"), _(SQUASHES.get(forward["squash"], "")), right=(0, 2, 3))
    drawn.columns[1].ratio = 1
    drawn.expand = True
    for at, row in enumerate(forward["rows"]):
        share = number(shares[at]) if shares else " ".join(map(number, row["probabilities"] or ()))
        drawn.add_row(str(at + 1), Text(visible(one_line(texts[at], 200))), " ".join(map(number, row["logits"])), share)
    return Padding(drawn, (0, 0, 0, 4))


def told_apart(texts: Sequence[str]) -> list[str]:
    """Texts without a long beginning that all of them share.

    >>> told_apart(["the same long beginning, then this", "the same long beginning, then that"])
    ['… this', '… that']
    """
    same = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    # Cut where a word begins, so that what differs is read whole.
    cut = "".join(letters[0] for letters in same).rstrip().rfind(" ") + 1
    return [f"… {text[cut:]}" for text in texts] if len(texts) > 1 and cut > SHARED else list(texts)


def _tokens(row: Row, facts: Mapping[str, Any], at: int) -> Iterator[RenderableType]:
    """One line a token: its likeliest id and the two after it."""
    labels = [entry["label"] for entry in facts["decode"]["labels"]]
    tokens = facts["encode"]["rows"][at]["tokens"][:MOST_TOKENS]
    drawn = table("", _("token"), "id", _("softmax"), _("next"), right=(0,))
    for place, (token, logits, shares) in enumerate(zip(tokens, row["logits"], row["probabilities"] or row["logits"], strict=False)):
        order = sorted(range(len(logits)), key=lambda label: -logits[label])
        named = [f"{label} {labels[label]}" if labels else str(label) for label in order[:3]]
        rest = " · ".join(f"{name} {number(shares[label])}" for name, label in zip(named[1:], order[1:3], strict=True))
        style = "dim" if token["kind"] == "special" else ""
        drawn.add_row(
            str(place), Text(legible(token), style=style), Text(named[0], style=style), number(shares[order[0]]), Text(rest, "dim")
        )
    yield indented(drawn)
    if len(row["logits"]) > MOST_TOKENS:
        left = len(row["logits"]) - MOST_TOKENS
        yield _aside(_("… and {count} more (all of them: --html or --json)").format(count=left))


def _span(row: Row, facts: Mapping[str, Any], at: int) -> Iterator[RenderableType]:
    """The likeliest first tokens and the likeliest last ones, side by side; the answer's own are marked, and stand there in any case."""
    tokens = facts["encode"]["rows"][at]["tokens"]
    drawn = table("", _("starts at"), "logit", _("softmax"), "", _("ends at"), "logit", _("softmax"), right=(0, 2, 3, 4, 6, 7))
    chosen = row.get("answer") or (None, None)
    columns = [_end_cells(row, tokens, end, place) for end, place in zip(("start", "end"), chosen, strict=True)]
    for pair in itertools.zip_longest(*columns, fillvalue=("", "", "", "")):
        drawn.add_row(*itertools.chain.from_iterable(pair))
    yield indented(drawn)


def _end_cells(row: Row, tokens: Sequence[Row], end: str, chosen: int | None) -> list[tuple[str | Text, ...]]:
    """Position, token, logit and share of the likeliest tokens for one end."""
    logits, shares = row[f"{end}_logits"], row[f"{end}_probabilities"]
    order = sorted(range(len(logits)), key=lambda place: -logits[place])[:BEST]
    order += [chosen] if chosen is not None and chosen not in order else []
    cells: list[tuple[str | Text, ...]] = []
    for place in order:
        mark = "▸" if place == chosen else ""
        style = "bold green" if mark else "dim" if tokens[place]["kind"] == "special" else ""
        cells.append((str(place), Text(mark + legible(tokens[place]), style=style), number(logits[place]), number(shares[place])))
    return cells


def _masks(row: Row, _facts: Mapping[str, Any], _at: int) -> Iterator[RenderableType]:
    """Of each mask its likeliest tokens."""
    for at, mask in enumerate(row["masks"]):
        drawn = table(_("mask {number}").format(number=at + 1), "id", _("softmax"), "", right=(1, 2))
        for entry in mask[:MOST]:
            drawn.add_row(Text(legible(entry), style="bold"), str(entry["id"]), number(entry["probability"]), bar(entry["probability"]))
        yield indented(drawn)


def _vectors(facts: Mapping[str, Any]) -> RenderableType:
    """One line a row: its length, and how near it is to the first one; a vector that is alone shows its first numbers."""
    forward, texts = facts["forward"], told_apart([row["text"] for row in facts["encode"]["rows"]])
    near = forward.get("cosines")
    drawn = table(_("row"), _("text"), _("length"), _("cosine with row 1") if near else _("first numbers"), right=(0, 2, 3))
    drawn.columns[1].ratio = 1
    drawn.expand = True
    for at, row in enumerate(forward["rows"][:MOST_TOKENS]):
        last = number(near[at]) if near else ", ".join(f"{value:.3f}" for value in row["vector"][:4]) + ", …"
        drawn.add_row(str(at + 1), Text(visible(one_line(texts[at], 200))), number(row["norm"]), last)
    return Padding(drawn, (0, 0, 0, 4))


def _steps(row: Row, _facts: Mapping[str, Any], _at: int) -> Iterator[RenderableType]:
    """One line a new token: what was written and what came into question, likeliest first."""
    drawn = table("", _("written"), _("softmax"), _("candidates, likeliest first"), right=(0, 2))
    drawn.columns[3].ratio = 1
    drawn.expand = True
    for at, step in enumerate(row["steps"][:MOST_TOKENS]):
        line = Text()
        for place, entry in enumerate(step["candidates"]):
            chosen = entry["id"] == step["id"]
            line.append(" · " if place else "", style="dim")
            line.append(f"{'▸' if chosen else ''}{legible(entry)} {number(entry['probability'])}", style="bold green" if chosen else "dim")
        drawn.add_row(str(at + 1), Text(legible(step), style="bold"), number(step["probability"]), line)
    yield Padding(drawn, (0, 0, 0, 4))
    if len(row["steps"]) > MOST_TOKENS:
        left = len(row["steps"]) - MOST_TOKENS
        yield _aside(_("… and {count} more (all of them: --html or --json)").format(count=left))
    if any(step["rank"] > 1 for step in row["steps"]):
        yield _aside(
            _("Where the written token is not the likeliest, beams, chance (--temperature) or a rule of the model's own decided otherwise.")
        )


def _arrays(row: Row, _facts: Mapping[str, Any], _at: int) -> Iterator[RenderableType]:
    """Whatever else: names, shapes, the first numbers."""
    drawn = table(_("output"), _("shape"), _("first numbers"))
    for name, array in (row.get("arrays") or {}).items():
        drawn.add_row(Text(name), shape_of(array["shape"]), ", ".join(number(float(value)) for value in array["first"]))
    yield indented(drawn)


def shape_of(shape: Sequence[int]) -> str:
    """A shape as Python writes it.

    >>> shape_of([1, 24]), shape_of([3])
    ('(1, 24)', '(3,)')
    """
    return str(tuple(shape))


def _aside(text: str) -> RenderableType:
    return Padding(Text(text, style="dim"), (0, 0, 0, 4), expand=False)


DRAWN: dict[str, Callable[[Row, Mapping[str, Any], int], Iterator[RenderableType]]] = {
    "labels": _labels,
    "tokens": _tokens,
    "span": _span,
    "masks": _masks,
    "steps": _steps,
    "arrays": _arrays,
}
