"""``weitiao show``: what is in a model folder, for a terminal. Draws the dictionary that ``engine.contents`` gives."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weitiao import asking, tasks
from weitiao.cli.screen import Screen, closed_up
from weitiao.cli.subject import question
from weitiao.cli.tables import heading, method_title, pairs
from weitiao.data.titles import split_title
from weitiao.messages import N_, _
from weitiao.metrics import title as spoken
from weitiao.quantities import number, share, size, some

MANY_LABELS = 12
WIDE = 110  # from this width on a file's sentence stands beside its name, not below
KINDS = {
    "encoder": N_("an encoder: it reads a text whole"),
    "encoder-decoder": N_("an encoder-decoder: it reads one text and writes another"),
    "decoder": N_("a decoder: it goes on writing a text"),
    "dual": N_("a dual encoder: pictures and texts in one space"),
}
STATUSES = {"running": N_("running"), "finished": N_("finished"), "interrupted": N_("interrupted"), "failed": N_("failed")}
FORMATS = {"F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "I8": "int8", "U8": "4-bit"}


def show(screen: Screen, name: str) -> None:
    """Tell what a model folder, or a run's, holds."""
    from weitiao.engine.contents import look_into

    inside = look_into(name)
    screen.result(inside, *page(inside, screen.out.width), bare=inside["folder"])
    screen.next(*_next(inside))


def page(inside: Mapping[str, Any], width: int) -> Iterator[RenderableType]:
    """The run, the model, its files, its parameters, the memory it takes, on a terminal ``width`` wide."""
    if inside["run"]:
        yield heading(_("Run"))
        yield pairs(_run(inside["run"]))
    yield heading(_("Model"))
    yield pairs(_model(inside))
    yield heading(_("Files"))
    yield _files(inside["files"], beside=width >= WIDE)
    yield heading(_("Parameters"))
    if inside["blocks"] is None:
        yield Padding(Text(_("There are no weights that may be read.")), (0, 0, 0, 2))
    else:
        yield _blocks(inside)
    if inside["memory"]:
        yield heading(_("Memory"))
        yield _memory(inside["memory"])


def _run(run: Mapping[str, Any]) -> dict[str, str]:
    lines = {_("task"): run["task"], _("method"): method_title(run["method"] or ""), _("base"): run["base"]}
    lines[_("status")] = _(STATUSES.get(run["status"], str(run["status"] or "")))
    if run["headline"]:
        low, high = run["interval"] or (None, None)
        interval = _("({low} to {high})").format(low=number(low), high=number(high)) if run["interval"] else ""
        where = _("on {rows:,} rows of {split}").format(rows=run["rows"] or 0, split=split_title(str(run["split"])))
        lines[spoken(run["headline"])] = closed_up(" ".join(part for part in (number(run["value"]), interval, where) if part))
    return {name: str(value) for name, value in {**lines, _("report"): run["report"]}.items() if value}


def _model(inside: Mapping[str, Any]) -> dict[str, str]:
    lines = {
        _("folder"): inside["folder"],
        _("architecture"): _joined(inside["architecture"], inside["family"]),
        _("kind"): _(KINDS[inside["kind"]]) if inside["kind"] else "",
    }
    if not inside["run"] and not inside["adapter"]:
        lines[_("made for")] = _(", ").join(inside["tasks"]) or _("no task yet: it is a base to fine-tune")
    if adapter := inside["adapter"]:
        kind = _("{kind}, rank {rank}, alpha {alpha:g}, beside {count} matrices")
        lines[_("adapter")] = kind.format(**{"alpha": 0, **adapter}, count=inside["matrices"])
        lines[_("base")] = adapter["base"] + ("" if adapter["base_parameters"] else " · " + _("not on this machine"))
    if inside["vocabulary"]:
        lines[_("vocabulary")] = _("{count:,} tokens").format(count=inside["vocabulary"])
    longest = inside["context_tokens"]
    lines[_("longest text")] = _("{count:,} tokens").format(count=longest) if longest else _("no fixed limit")
    if inside["sentence_tokens"]:
        lines[_("longest text")] += _("; ") + _("{count:,} for sentence vectors").format(count=inside["sentence_tokens"])
    if inside["labels"]:
        lines[_("labels")] = f"{len(inside['labels'])}: {some(inside['labels'], MANY_LABELS)}"
    return {**lines, _("licence"): inside["license"] or _("not declared")}


def _joined(architecture: str, family: str) -> str:
    return f"{architecture} ({family})" if architecture and family else architecture or family


def _files(files: list[Mapping[str, Any]], *, beside: bool) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for file in files:
        name, cost = Text(file["path"], style="bold"), size(file["bytes"])
        meaning = Text(file["meaning"], style="yellow" if file["refused"] else "")
        if beside:
            table.add_row(name, cost, meaning)
        else:
            table.add_row(Text.assemble(name, "  ", (cost, "dim")))
            table.add_row(Padding(meaning, (0, 0, 0, 4)))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _blocks(inside: Mapping[str, Any]) -> RenderableType:
    from weitiao.engine.parameters import TITLES

    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
    table.add_column(_("block"), overflow="fold")
    for title in (_("layers"), _("of each"), _("together"), _("share")):
        table.add_column(title, justify="right", no_wrap=True)
    base = (inside["adapter"] or {}).get("base_parameters")
    whole = (inside["parameters"] or 1) + (base["all"] if base else 0)
    if base:
        table.add_row(_("base model: unchanged"), "", "", f"{base['all']:,}", share(base["all"] / whole))
    for block in inside["blocks"]:
        layers = block["layers"]
        count = (str(layers), f"{block['parameters'] // layers:,}") if layers else ("", "")
        table.add_row(_(TITLES[block["block"]]), *count, f"{block['parameters']:,}", share(block["parameters"] / whole))
    if inside["tied_head"]:
        table.add_row(_("head: uses the embeddings' numbers"), "", "", "0", share(0))
    formats = _(", ").join(FORMATS.get(name, name) for name in sorted(inside["formats"], key=inside["formats"].__getitem__, reverse=True))
    table.add_row(Text(_("all, stored as {formats}").format(formats=formats), style="bold"), "", "", Text(f"{whole:,}", style="bold"), "")
    return Padding(table, (0, 0, 0, 2), expand=False)


def _memory(memory: Mapping[str, Mapping[str, int]]) -> RenderableType:
    names = {"full": _("full"), "lora": "LoRA", "qlora": "QLoRA"}
    titles = {"load": _("to hold the weights"), "train": _("to train, about")}
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    for title, values in ((titles[part], memory[part]) for part in titles):
        table.add_row(title, *(f"{names.get(name, name)} {size(value)}" for name, value in values.items()))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _next(inside: Mapping[str, Any]) -> list[tuple[str, ...]]:
    name = inside["name"]
    if inside["run"]:
        return [("weitiao", "predict", name, *question(name)), ("weitiao", "report", name)]
    if adapter := inside["adapter"]:
        return [("weitiao", "show", adapter["base_here"]) if adapter["base_here"] else ("weitiao", "fetch", adapter["base"])]
    if inside["blocks"] is None:
        return [("weitiao", "models")]
    ready = [("weitiao", "predict", name, *asking.words(tasks.get(task), {}), "--task", task) for task in inside["tasks"][:1]]
    learned = [task for task in inside["tasks"] if tasks.get(task).trainable and not inside["general"]]
    return [*ready, ("weitiao", "train", "DATA", *(("--task", learned[0]) if learned else ()), "--model", name)]
