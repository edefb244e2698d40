"""Evaluations as tables, whatever their task measures. Draws what ``weitiao.api`` gives; computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weitiao.cli.tables import heading, marked, pairs
from weitiao.data.titles import SPLITS, split_title
from weitiao.messages import N_, _
from weitiao.metrics import TITLES, smaller_is_better, standing
from weitiao.metrics import title as spoken
from weitiao.quantities import number, one_line

MANY_LABELS = 30
WORST = 3  # answers beside their references
EPOCH_FIGURES = 3
VERDICTS = {"better": "ok", "worse": "error", "even": "info", "alone": "warning"}  # the marks; what is within noise is neither won nor lost
SEGMENTERS = {
    "words": N_("English words"),
    "unicode": N_("words of any script"),
    "characters": N_("characters"),
    "jieba": N_("Chinese words (jieba)"),
}
PER_CLASS = {
    "precision": N_("precision"),
    "recall": N_("recall"),
    "f1": "F1",
    "threshold": N_("threshold"),
    "support": N_("in the data"),
    "predicted": N_("predicted"),
}


def evaluated(evaluation: Mapping[str, Any]) -> Iterator[RenderableType]:
    """One evaluated split: figures with intervals beside the baselines, figures by label, the verdict."""
    # Rows held out of the training data are named by their split, a file that was given by its name.
    split = evaluation.get("split", "")
    where = split_title(split) if split in SPLITS else str(evaluation.get("source") or split)
    yield heading(_("Evaluation on {rows:,} rows ({where})").format(rows=evaluation["rows"], where=where))
    if evaluation["metrics"]:
        yield _metrics(evaluation)
    yield from _made_how(evaluation)
    if evaluation.get("intervals"):
        note = _("In brackets: 95% bootstrap intervals. ↓: lower is better. ◂: the figure that decides.")
        yield Padding(Text(note, style="dim"), (0, 0, 0, 2), expand=False)
    if evaluation.get("per_class"):
        yield heading(_("By label"))
        yield _per_class(evaluation["per_class"])
    if evaluation.get("side_by_side"):
        yield heading(_("Furthest from their references"))
        yield from _side_by_side(evaluation["side_by_side"])
    if evaluation.get("verdict"):
        yield heading(_("Verdict"))
        yield verdict(evaluation["verdict"])


def verdict(judged: Mapping[str, Any]) -> RenderableType:
    """Whether the model is worth more than a simple method."""
    return marked(VERDICTS[standing(judged)], judged["text"])


def epoch_line(evaluation: Mapping[str, Any]) -> Text:
    """One validation during training, on one line: the loss, the figure that picks the best checkpoint, and what else has room."""
    best = evaluation.get("best") or {}
    metrics = {"loss": (evaluation.get("validation") or {}).get("loss"), **evaluation.get("metrics", {})}
    names = dict.fromkeys(("loss", best.get("metric", ""), *_in_order(metrics)))
    shown = [f"{spoken(name)} {number(metrics[name])}" for name in names if _is_number(metrics.get(name))][:EPOCH_FIGURES]
    mark = Text("  " + _("best so far"), style="green") if best and best.get("step") == evaluation.get("step") else Text()
    return Text.assemble((_("Epoch {epoch}").format(epoch=evaluation.get("epoch", "–")), "bold"), "  " + " · ".join(shown), mark)


def _metrics(evaluation: Mapping[str, Any]) -> RenderableType:
    """One row a figure, one column for the model and for each baseline that has any of them."""
    metrics = evaluation["metrics"]
    names = [name for name in _in_order(metrics) if metrics[name] is None or _is_number(metrics[name])]
    baselines = {
        name: one
        for name, one in (evaluation.get("baselines") or {}).items()
        if any(one.get("metrics", {}).get(metric) is not None for metric in names)
    }
    table = _table()
    table.add_column(_("figure"))
    table.add_column(_("this model"), style="bold")
    for name in baselines:
        table.add_column(spoken(name), overflow="fold")
    for name in names:
        title = Text(spoken(name) + (" ↓" if smaller_is_better(name, evaluation) else ""))
        if name == evaluation.get("headline"):
            title.append(" ◂", style="cyan")
        table.add_row(title, *(_with_interval(one, name) for one in (evaluation, *baselines.values())))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _with_interval(scored: Mapping[str, Any], name: str) -> Text:
    text = Text(number(scored.get("metrics", {}).get(name)))
    interval = (scored.get("intervals") or {}).get(name)
    if interval:
        # Two decimals: three columns of them must stand side by side on a terminal 80 wide.
        low, high = (f"{bound:.2f}" if abs(bound) < 1000 else number(bound) for bound in interval)
        text.append(f" ({low}–{high})", style="not bold dim")
    return text


def _made_how(evaluation: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What figures of texts depend on, without which nobody could compare them: how words were cut, sacreBLEU's signature."""
    lines = {}
    if evaluation.get("segmenter"):
        lines[_("counted in")] = _(SEGMENTERS.get(evaluation["segmenter"], evaluation["segmenter"]))
    if evaluation.get("signature"):
        lines[_("signature")] = str(evaluation["signature"])
    if lines:
        yield pairs(lines)


def _per_class(classes: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One row a label; only columns that some label has."""
    figures = [(key, title) for key, title in PER_CLASS.items() if any(one.get(key) is not None for one in classes)]
    table = _table()
    table.add_column(_("label"), overflow="fold")
    for _key, title in figures:
        table.add_column(_(title), justify="right")
    for one in classes[:MANY_LABELS]:
        cells = (one.get(key) for key, _title in figures)
        shown = ("" if cell is None else f"{cell:,}" if isinstance(cell, int) else number(cell) for cell in cells)
        table.add_row(Text(one_line(one["label"], 32)), *shown)
    if len(classes) > MANY_LABELS:
        table.add_row(Text(_("and {count} more labels").format(count=len(classes) - MANY_LABELS), style="dim"))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _side_by_side(rows: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """The answers that are furthest from their references; the report shows more of them, whole."""
    for row in rows[:WORST]:
        score = [number(row["score"])] if row.get("score") is not None else []
        lines = {"input": (N_("input"), "dim"), "reference": (N_("reference"), ""), "prediction": (N_("this model"), "bold")}
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for key, (title, style) in lines.items():
            if row.get(key) is not None:
                table.add_row(_(title), Text(one_line(row[key], 200) or "–", style=style))
        if score:
            table.add_row(_("score"), Text(score[0]))
        yield Padding(table, (0, 0, 1, 2), expand=False)


def _in_order(metrics: Mapping[str, Any]) -> list[str]:
    """Names as ``TITLES`` orders them, then those that it does not know."""
    known = {name: at for at, name in enumerate(TITLES)}
    return sorted(metrics, key=lambda name: known.get(name, len(known)))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
