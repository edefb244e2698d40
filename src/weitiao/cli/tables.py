"""The data check, the column plan and the training plan as tables. Draws the dictionaries that ``weitiao.api`` gives; computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weitiao.cli.screen import closed_up
from weitiao.data.titles import SPLITS, action_title, hidden_title, reason_title, script_title, split_title
from weitiao.forms import FORMS
from weitiao.messages import N_, _
from weitiao.quantities import duration, one_line, share, size, some

MARKS = {"error": ("✗", "bold red"), "warning": ("!", "bold yellow"), "info": ("·", "cyan"), "ok": ("✓", "bold green")}
METHODS = {"full": N_("full: every weight"), "lora": "LoRA", "qlora": "QLoRA", "head": N_("head: the new head alone")}
UNITS = {"tokens": N_("tokens"), "characters": N_("characters")}
MANY_LABELS = 20
EXAMPLES = 2


def checked(check: Mapping[str, Any], plan: Mapping[str, Any], ledger: Mapping[str, int]) -> Iterator[RenderableType]:
    """The data check, top to bottom: which column is what, rows by label and split, lengths, what was found, what was done to rows."""
    yield heading(_("Columns"))
    yield columns(plan)
    yield heading(_("Rows"))
    yield _rows(check)
    if check.get("marks"):
        yield heading(_("Marked in the texts"))
        yield _counted(check["marks"], _splits(check), sum(kind.get("train", 0) for kind in check["marks"]))
    yield from _properties(check)
    yield heading(_("What the check found"))
    yield from findings(check.get("findings", []))
    yield from row_ledger(ledger)


def heading(text: str) -> RenderableType:
    """A heading with an empty line above it."""
    return Text.assemble("\n", (text, "bold cyan"))


def columns(plan: Mapping[str, Any]) -> RenderableType:
    """Which column is what, and why."""
    table = _table(_("field"), _("column"), _("why"))
    for name, choice in plan.get("fields", {}).items():
        table.add_row(Text(name, style="bold"), Text(_(", ").join(choice["columns"])), Text(choice["why"], style="dim"))
    if plan.get("unused"):
        table.add_row(Text(_("not used"), style="dim"), Text(some(plan["unused"], 12), style="dim"), "")
    return Padding(table, (0, 0, 0, 2), expand=False)


def findings(found: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """One line a finding with its mark, gravest first, and a few of the rows it is about."""
    if not found:
        yield marked("ok", _("Nothing to complain about."))
    for finding in sorted(found, key=lambda f: list(MARKS).index(f["severity"])):
        yield marked(finding["severity"], finding["message"])
        for example in finding.get("examples", [])[:EXAMPLES]:
            place = _("{file}, row {rows}") if len(example["rows"]) == 1 else _("{file}, rows {rows}")
            where = place.format(file=example["source"], rows=some(example["rows"], 4))
            labels = " [" + some(example.get("labels", []), 4) + "]" if example.get("labels") else ""
            yield Padding(Text(f"{where}: {one_line(example.get('text', ''), 70)}{labels}", style="dim"), (0, 0, 0, 6), expand=False)


def training_plan(plan: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What will be trained, on what, for how long."""
    yield heading(_("Training plan"))
    model, estimate = plan["model"], plan.get("estimate") or {}
    steps = _("{steps:,} (epochs: {epochs}; rows: {rows:,}; rows a step: {batch})")
    steps = steps.format(steps=plan["steps"], epochs=plan["epochs"], rows=plan["rows"]["train"], batch=plan["batch_size"])
    rate = _("{lr:g} at its peak (steps of rising to it: {warmup:,})").format(lr=plan["lr"], warmup=plan["warmup_steps"])
    counts = {"trainable": plan["trainable_parameters"], "all": plan["parameters"]}
    trained = _("all {all:,}") if counts["trainable"] == counts["all"] else _("{trainable:,} of {all:,} ({share:.2%})")
    trained = trained.format(**counts, share=counts["trainable"] / max(1, counts["all"]))
    if plan.get("vocabulary"):
        some_words, all_words = plan["vocabulary"]
        words = _("the vocabulary in the {some:,} of {all:,} words that occur; weight decay alone moves the others")
        trained += _("; ") + words.format(some=some_words, all=all_words)
    length = _("up to {length} tokens a text").format(length=plan["max_length"])
    if plan.get("truncated_rows"):
        length += _("; ") + _("{rows:,} rows are longer and will be cut").format(rows=plan["truncated_rows"])
    expected = [duration(estimate["seconds"])] if estimate.get("seconds") is not None else []
    expected += [_("{size} of memory").format(size=size(estimate["memory_bytes"]))] if estimate.get("memory_bytes") is not None else []
    lines = {
        _("task"): plan["task"],
        _("model"): " · ".join(str(part) for part in (model["id"], model.get("why")) if part),
        _("method"): method_title(plan.get("method") or ""),
        _("trained weights"): trained,
        _("frozen"): frozen_part(plan.get("frozen")),
        _("device"): f"{plan['device']} · {plan['precision']}",
        _("padding"): plan.get("path") or "",
        _("corpus"): _corpus(plan),
        _("hidden"): hidden_title((plan.get("corpus") or {}).get("segmenter") or ""),
        _("steps"): steps,
        _("learning rate"): rate,
        _("length"): length,
        _("estimate"): _(", ").join(expected),
        _("run"): str(plan.get("out") or ""),
    }
    yield pairs({name: value for name, value in lines.items() if value})


def _corpus(plan: Mapping[str, Any]) -> str:
    """What a pretraining reads; "" elsewhere."""
    if "corpus" not in plan:
        return ""
    line = _("{documents:,} documents, {tokens:,} tokens; held out: {held_out:,} tokens")
    return line.format(documents=plan["corpus"]["documents"], tokens=plan["tokens"]["train"], held_out=plan["tokens"]["held_out"])


def frozen_part(frozen: Mapping[str, Any] | None) -> str:
    """What nothing is learnt in, how it runs, and what of it is kept."""
    if frozen is None:
        return ""
    if frozen["reason"]:
        return _("the layers below the adapters run at every step as ever: {reason}").format(reason=frozen["reason"])
    if frozen["bytes"] is None:
        return _("{part}: without dropout").format(part=frozen["part"])
    message = _("{part}: without dropout, once a row; what comes out is kept ({size})")
    if frozen["share"] < 1:
        message = _(
            "{part}: without dropout; what comes out is kept for {share:.0%} of the rows ({size}), and computed anew for the others"
        )
    return message.format(part=frozen["part"], size=size(frozen["bytes"]), share=frozen["share"])


def method_title(method: str) -> str:
    """What a ``--method`` does, in a few words."""
    return _(METHODS.get(method, method))


def pairs(lines: Mapping[str, str]) -> RenderableType:
    """Names and values in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")  # a path is cut nowhere
    for name, value in lines.items():
        table.add_row(name, Text(value))
    return Padding(table, (0, 0, 0, 2), expand=False)


def exported(made: Mapping[str, Any]) -> RenderableType:
    """What an export is, and what sets it apart from its run."""
    lines = {_("folder"): made["out"], _("size"): size(made["bytes"])}
    if "form" in made:
        needs = _("with PyTorch") if made["torch"] else _("without PyTorch")
        lines[_("the run in it")] = f"{made['form']}, {needs}"
        lines[_("packages")] = str(made["packages"])
    if "difference" in made:
        lines[_("difference")] = _("at most {difference:.1e} on {rows} records").format(**made)
    if "equal" in made:
        changed = made["rows"] - round(made["equal"] * made["rows"])
        lines[_("same answers")] = _("{share} · {count} of {rows} differ").format(
            share=share(made["equal"]), count=changed, rows=made["rows"]
        )
    if made.get("metric"):
        bounds = " [{:.4f}, {:.4f}]".format(*made["interval"]) if made.get("interval") else ""
        lines[made["metric"]] = f"{made['value']:.4f}{bounds} · " + _("the run: {value:.4f}").format(value=made["run"])
    if "rows_per_s" in made:
        plain = FORMS[made.get("form") or made["to"]].plain
        beside = _("fp32: {count:,.0f}") if plain else _("the run: {count:,.0f}")
        speed = _("{count:,.0f} rows/s").format(count=made["rows_per_s"])
        lines[_("speed")] = f"{speed} · " + beside.format(count=made["against_rows_per_s"])
    return pairs(lines)


def space_of(made: Mapping[str, Any]) -> dict[str, str]:
    """What a Space is, and where."""
    lines = {_("folder"): made["out"], _("kind"): made["sdk"], _("size"): size(made["bytes"]), _("files"): str(made["files"])}
    if made.get("form"):
        needs = "" if "torch" not in made else _(", ") + (_("with PyTorch") if made["torch"] else _("without PyTorch"))
        lines[_("the run in it")] = f"{made['form']}{needs}"
    if "difference" in made:
        lines[_("difference")] = _("at most {difference:.1e} on {rows} records").format(**made)
    if made["examples"]:
        lines[_("examples")] = str(made["examples"])
        rows = _(", ").join(str(one["row"]) for one in made["published_rows"])
        lines[_("rows published")] = rows or _("none")
    if "tried" in made:
        tried = made["tried"]
        rows = _("{labels_equal:.1%} of the answers to {rows} rows are the same")
        said = [(rows if "rows" in tried else _("{equal} of {asked} examples answered as the run does"))]
        said += [_("{too_long} more are longer than a page reads")] if tried.get("too_long") else []
        said += [_("it refuses {refused} for their Chinese, whose words a page cannot find")] if tried.get("refused") else []
        lines[_("tried out")] = _("; ").join(said).format(**tried)
    if made.get("address"):
        lines[_("address")] = made["address"]
    return lines


def _rows(check: Mapping[str, Any]) -> RenderableType:
    """Rows of each label in each split, in the labels' fixed order, and all of them: a row may have several labels or none."""
    return _counted(check.get("labels", []), _splits(check), check["rows"].get("train", 0), check["rows"])


def _splits(check: Mapping[str, Any]) -> list[str]:
    """Names of the splits that there are, in their order."""
    return [name for name in SPLITS if check["rows"].get(name)]


def _counted(
    labels: Sequence[Mapping[str, Any]], splits: Sequence[str], train: int, together: Mapping[str, int] | None = None
) -> RenderableType:
    """How often each label occurs in each split.

    Args:
        train: what the bars are shares of.
        together: the last line; the sums of those above it where None.
    """
    table = _table(_("label") if labels else "", *(split_title(name) for name in splits), "", right=len(splits))
    for label in labels[:MANY_LABELS]:
        part = label.get("train", 0) / max(1, train)
        bar = Text.assemble(("█" * max(1 if part else 0, round(part * 20)), "cyan"), " ", (share(part), "dim"))
        table.add_row(Text(one_line(label["label"], 32)), *(f"{label.get(name, 0):,}" for name in splits), bar)
    if len(labels) > MANY_LABELS:
        table.add_row(Text(_("and {count} more labels").format(count=len(labels) - MANY_LABELS), style="dim"), *[""] * (len(splits) + 1))
    together = together or {name: sum(label.get(name, 0) for label in labels) for name in splits}
    table.add_row(Text(_("all"), style="bold"), *(Text(f"{together[name]:,}", style="bold") for name in splits), "")
    return Padding(table, (0, 0, 0, 2), expand=False)


def _properties(check: Mapping[str, Any]) -> Iterator[RenderableType]:
    lines: dict[str, str] = {}
    lengths = check.get("lengths") or {}
    if lengths:
        text = _("median {median:.0f}, 95 of 100 within {p95:.0f}, longest {max:,} {unit}")
        values = {name: lengths[name] for name in ("median", "p95", "max")}
        lines[_("length")] = text.format(**values, unit=_(UNITS.get(lengths["unit"], lengths["unit"])))
        if lengths.get("limit"):
            rows, part = lengths.get("truncated_rows") or 0, lengths.get("truncated_share") or 0.0
            cut = _("{limit} tokens; {rows:,} rows ({share}) are longer and will be cut").format(
                limit=lengths["limit"], rows=rows, share=share(part)
            )
            lines[_("limit")] = cut if rows else _("{limit} tokens; every text fits").format(limit=lengths["limit"])
    if check.get("scripts"):
        lines[_("script")] = _(", ").join(f"{script_title(s['script'])} {share(s['share'])}" for s in check["scripts"][:5])
    searched = check.get("near_duplicates_searched") or {}
    if searched and searched["rows"] < searched["of"]:
        text = _("searched in a sample of {rows:,} of {of:,} rows")
        lines[_("near-duplicates")] = text.format(rows=searched["rows"], of=searched["of"])
    if lines:
        yield pairs(lines)


def row_ledger(ledger: Mapping[str, int]) -> Iterator[RenderableType]:
    """What was done to rows: "dropped:empty_text" -> 3. Rows that were only reported stand among the findings."""
    done = {reason: count for reason, count in ledger.items() if not reason.startswith("kept:")}
    if done:
        yield heading(_("Row ledger"))
        table = Table.grid(padding=(0, 2))
        for reason, count in done.items():
            action, _colon, code = reason.partition(":")
            table.add_row(Text(f"{count:,}", justify="right"), action_title(action), Text(reason_title(code), style="dim"))
        yield Padding(table, (0, 0, 0, 2), expand=False)


def marked(severity: str, message: str) -> RenderableType:
    """A message behind the mark of its severity."""
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(overflow="fold")  # Chinese has no spaces to break at
    table.add_row(Text(*MARKS[severity]), Text(closed_up(message)))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _table(*titles: str, right: int = 0) -> Table:
    """A light table; the ``right`` columns after the first hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
    for at, title in enumerate(titles):
        table.add_column(title, justify="right" if 0 < at <= right else "left", overflow="fold")
    return table
