"""Evaluations and predictions as tables. Draws what ``weitiao.api`` gives; computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weitiao.cli.quantities import number, one_line
from weitiao.cli.tables import SPLITS, heading, marked
from weitiao.messages import _
from weitiao.metrics import SMALLER_IS_BETTER, TITLES
from weitiao.metrics import title as spoken

MANY_LABELS = 30
ROOM_FOR_OTHERS = 72


def evaluated(evaluation: Mapping[str, Any]) -> Iterator[RenderableType]:
    """One evaluated split: figures with intervals beside the baselines, figures by label, the verdict."""
    # Rows held out of the training data are named by their split, a file that was given by its name.
    split = evaluation.get("split", "")
    where = _(SPLITS[split]) if split in SPLITS else str(evaluation.get("source") or split)
    yield heading(_("Evaluation on {rows:,} rows ({where})").format(rows=evaluation["rows"], where=where))
    yield _metrics(evaluation)
    if evaluation.get("intervals"):
        note = _("In brackets: 95% bootstrap intervals. ↓: lower is better. ◂: this figure picked the best checkpoint.")
        yield Padding(Text(note, style="dim"), (0, 0, 0, 2), expand=False)
    if evaluation.get("per_class"):
        yield heading(_("By label"))
        yield _per_class(evaluation["per_class"])
    if evaluation.get("verdict"):
        yield heading(_("Verdict"))
        yield verdict(evaluation["verdict"])


def verdict(judged: Mapping[str, Any]) -> RenderableType:
    """Whether the model is worth more than a simple method."""
    beats = judged.get("beats_baselines")
    return marked("warning" if beats is None else "ok" if beats else "error", judged["text"])


def predictions(texts: Sequence[str], predicted: Sequence[Mapping[str, Any]], *, width: int, header: bool = True) -> RenderableType:
    """Predictions beside their texts, on one line each; the runners-up only where ``width`` (of the terminal) leaves room."""
    table = _table()
    table.show_header, table.expand = header, True
    answers = [str(prediction.get("label", prediction)) for prediction in predicted]
    # The columns must line up with those of the next table, so the widths follow from the labels alone.
    labels = {label for prediction in predicted for label in prediction.get("probabilities", ())} | set(answers)
    widest = max(len(_("label")), *(Text(label).cell_len for label in labels))
    table.add_column(_("label"), width=min(widest, 24), overflow="ellipsis", no_wrap=True, style="bold")
    table.add_column(_("score"), width=5, no_wrap=True)
    table.add_column(_("text"), ratio=3, overflow="ellipsis", no_wrap=True)
    if width >= ROOM_FOR_OTHERS:
        table.add_column(_("other labels"), ratio=2, overflow="ellipsis", no_wrap=True, style="dim")
    for text, answer, prediction in zip(texts, answers, predicted, strict=True):
        rest = sorted((prediction.get("probabilities") or {}).items(), key=lambda pair: -pair[1])
        others = " · ".join(f"{one_line(label, 20)} {number(p)}" for label, p in rest if label != answer)
        score = number(prediction["score"]) if "score" in prediction else ""
        table.add_row(Text(answer), score, Text(one_line(text, 200)), *([Text(others)] if width >= ROOM_FOR_OTHERS else []))
    return table


def epoch_line(evaluation: Mapping[str, Any]) -> Text:
    """One validation during training, on one line."""
    metrics = {**({"loss": evaluation["validation"].get("loss")} if evaluation.get("validation") else {}), **evaluation.get("metrics", {})}
    shown = [name for name in ("loss", "accuracy", "f1_macro") if metrics.get(name) is not None] or list(metrics)[:3]
    figures = " · ".join(f"{spoken(name)} {number(metrics[name])}" for name in shown)
    best = evaluation.get("best") or {}
    mark = Text("  " + _("best so far"), style="green") if best and best.get("step") == evaluation.get("step") else Text()
    return Text.assemble((_("Epoch {epoch}").format(epoch=evaluation.get("epoch", "–")), "bold"), f"  {figures}", mark)


def _metrics(evaluation: Mapping[str, Any]) -> RenderableType:
    table = _table()
    table.add_column(_("figure"))
    table.add_column(_("this model"), style="bold")
    baselines = evaluation.get("baselines") or {}
    for name in baselines:
        table.add_column(spoken(name), overflow="fold")
    everyone = [evaluation, *baselines.values()]
    for name in sorted(evaluation["metrics"], key=lambda name: list(TITLES).index(name) if name in TITLES else len(TITLES)):
        title = Text(spoken(name) + (" ↓" if name in SMALLER_IS_BETTER else ""))
        if name == evaluation.get("headline"):
            title.append(" ◂", style="cyan")
        table.add_row(title, *(_with_interval(one, name) for one in everyone))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _with_interval(scored: Mapping[str, Any], name: str) -> Text:
    text = Text(number(scored.get("metrics", {}).get(name)))
    interval = (scored.get("intervals") or {}).get(name)
    if interval:
        # Two decimals: three columns of them must stand side by side on a terminal 80 wide.
        text.append(f" ({interval[0]:.2f}–{interval[1]:.2f})", style="not bold dim")
    return text


def _per_class(classes: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = _table()
    table.add_column(_("label"), overflow="fold")
    for title in (_("precision"), _("recall"), "F1", _("rows"), _("predicted")):
        table.add_column(title, justify="right")
    for one in classes[:MANY_LABELS]:
        counts = (f"{one['support']:,}", f"{one['predicted']:,}" if "predicted" in one else "")
        table.add_row(Text(one_line(one["label"], 32)), number(one["precision"]), number(one["recall"]), number(one["f1"]), *counts)
    if len(classes) > MANY_LABELS:
        table.add_row(Text(_("and {count} more labels").format(count=len(classes) - MANY_LABELS), style="dim"))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
