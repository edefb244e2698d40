"""``weitiao models``: the table of base models, by kind, each with its size and what it is for. Draws what ``engine.listing`` gives."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weitiao import asking, tasks
from weitiao.cli.quantities import bytes_of
from weitiao.cli.screen import Screen
from weitiao.cli.tables import heading
from weitiao.data.languages import language_named
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.quantities import some
from weitiao.tasks.base import Task

MANY = "many"
WIDE = 110  # from this width on the figures stand in columns


def models(screen: Screen, use_as: str | None, spoken: str | None, memory: str | None) -> None:
    """List the entries for a task, a language and a memory, as they were typed. Raises UsageError for a value that means nothing."""
    task = tasks.get(use_as) if use_as is not None else None
    code = _language(spoken) if spoken is not None else ""
    room = bytes_of(memory, "--memory") if memory is not None else None
    from weitiao.engine.listing import listed

    rows = listed(task, code, room)
    asked = {"task": task.name if task else None, "language": code or None, "memory_bytes": room}
    taken = _taken(rows, room) if task is not None and task.trainable and code else ""
    shown = _page(rows, task, room, taken, wide=screen.out.width >= WIDE)
    screen.result({**asked, "models": rows}, *shown, bare="\n".join(row["id"] for row in rows))
    if not rows:
        return screen.next(("weitiao", "models"))
    flags = ("--task", use_as) if use_as is not None else ()
    if task is not None and not task.trainable:
        return screen.next(("weitiao", "predict", rows[0]["id"], *asking.words(task, {}), *flags))
    first = taken or next((row for row in rows if row["auto"]), rows[0])["id"]
    return screen.next(("weitiao", "train", "DATA", *flags, "--model", first), ("weitiao", "fetch", first))


def _taken(rows: Sequence[Mapping[str, Any]], room: int | None) -> str:
    """The id of the model that ``--model auto`` takes of these, on a machine without a GPU; "" where it takes none."""
    fitting = (row for row in rows if row["auto"] and (room is None or row["training_bytes"]["full"] <= room))
    return str(next(fitting, {"id": ""})["id"])


def _page(rows: Sequence[Mapping[str, Any]], task: Task | None, room: int | None, taken: str, *, wide: bool) -> Iterator[RenderableType]:
    if not rows:
        yield Text(_("Nothing in the table fits all of that. Leave out one of the flags, or give more memory."))
        return
    from weitiao.engine.heads import KINDS

    for kind, group in groupby(rows, key=lambda row: row["kind"]):
        members = list(group)
        yield heading(_(KINDS[kind]))
        if task is None:
            yield _indented(Text(_(", ").join(sorted({name for row in members for name in row["tasks"]})), style="dim"), 2)
        yield Text("")
        if wide:
            yield _indented(_table(members, room, taken), 2)
        else:
            yield from (_entry(row, room, taken) for row in members)
    yield Text("")
    for note in _notes(rows, task, room, taken):
        yield _indented(Text(note, style="dim"), 2)


def _entry(row: Mapping[str, Any], room: int | None, taken: str) -> RenderableType:
    """A model on a narrow terminal: its name whole, so that it can be copied, and below it the figures and why one would take it."""
    full, lora = (_cost(cost, room).plain for cost in row["training_bytes"].values())
    figures = _("{count} parameters, {size} to fetch; trains in {full}, with LoRA in {lora}")
    values = {"count": _count(row["parameters"]), "size": _size(row["download_bytes"]), "full": full, "lora": lora}
    first = Text.assemble((row["id"], "bold"), _mark(row, taken), "  ", (_spoken(row), "cyan"), "  ", (_license(row), "dim"))
    below = [Text(figures.format(**values)), Text(row["why"]), *(Text(mark, style="yellow") for mark in _marks(row))]
    return _indented(Group(first, *(_indented(line, 4) for line in below)), 2)


def _table(rows: Sequence[Mapping[str, Any]], room: int | None, taken: str) -> Table:
    """On a wide terminal: one row a model, why one would take it below its name."""
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False, expand=True)
    table.add_column(_("model"), ratio=1, overflow="fold")
    for title in (_("language"), _("licence")):
        table.add_column(title, no_wrap=True)
    for title in (_("parameters"), _("fetch"), _("full"), "LoRA"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        about = Text.assemble((row["id"], "bold"), _mark(row, taken), "\n", (row["why"], "dim"))
        for mark in _marks(row):
            about.append(f" · {mark}", style="yellow")
        costs = [_cost(cost, room) for cost in row["training_bytes"].values()]
        table.add_row(about, _spoken(row), _license(row), _count(row["parameters"]), _size(row["download_bytes"]), *costs)
    return table


def _mark(row: Mapping[str, Any], taken: str) -> tuple[str, str]:
    return (" ◂ auto" if row["id"] == taken else "", "cyan")


def _marks(row: Mapping[str, Any]) -> list[str]:
    """What stands in the way of simply taking it."""
    marks = [] if row["safetensors"] else [_("only pickle there")]
    return marks + ([_("accept its conditions first")] if row["gated"] else [])


def _cost(cost: int, room: int | None) -> Text:
    return Text(f"{_size(cost)} ✗", style="red") if room and cost > room else Text(_size(cost))


def _license(row: Mapping[str, Any]) -> str:
    return row["license"] or _("licence not declared")


def _indented(shown: RenderableType, by: int) -> RenderableType:
    return Padding(shown, (0, 0, 0, by))


def _notes(rows: Sequence[Mapping[str, Any]], task: Task | None, room: int | None, taken: str) -> Iterator[str]:
    """What the figures and the marks mean."""
    if taken:
        yield _(
            "◂ auto: what --model auto takes without a GPU, the first that fits whole, is in safetensors, declares its licence and sets no "
            "conditions. Any other is taken by its name."
        )
    elif task is None or task.trainable:
        yield _(
            "--model auto takes the first that the task, the language of the data and the memory allow, of those in safetensors that "
            "declare a licence and set no conditions. Any other is taken by its name."
        )
    yield _("The memory of a training is about right for short texts. QLoRA takes less than LoRA.")
    if room is not None:
        yield _("✗: more than the memory that you named.")
    if not all(row["safetensors"] for row in rows):
        yield _("only pickle there: weitiao reads safetensors; when you name such a model, the message says how to get them.")


def _spoken(row: Mapping[str, Any]) -> str:
    """Languages: "en", "zh→en", "zh, en, …"."""
    codes = [code for code in row["languages"] if code != MANY]
    if row["writes"]:
        return f"{codes[0]}→{row['writes']}"
    return some(row["languages"], 2) if codes else _("many languages")


def _size(count: int) -> str:
    """Bytes with two digits: the table is about, not exact.

    >>> _size(96_500_000), _size(1_130_000_000), _size(33_200_000_000)
    ('96 MB', '1.1 GB', '33 GB')
    """
    value, unit = (count / 1e9, "GB") if count >= 1e9 else (count / 1e6, "MB")
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def _count(parameters: int) -> str:
    """Parameters in a short form.

    >>> _count(22_700_000), _count(7_616_000_000)
    ('23 M', '7.6 B')
    """
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"


def _language(name: str) -> str:
    """The code of a language by any of its names. Raises UsageError for what is none."""
    known = language_named(name)
    if known is None:
        message = _('--language is "{name}", which is no language known here. Give a code or a name, such as zh, en, de or Japanese.')
        raise UsageError(message.format(name=name))
    return known.code
