"""``weitiao tokenizer``: a tokenizer from a corpus, its figures beside those of others. Draws what ``tokenizing`` gives."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weitiao.cli.progress import observer_for
from weitiao.cli.screen import Screen, closed_up
from weitiao.cli.tables import heading, pairs, row_ledger
from weitiao.messages import _

SHOWN_TOKENS = 60


def tokenizer(screen: Screen, corpus: Sequence[str], out: str, beside: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Train one, and show what was measured."""
    with observer_for(screen) as observer:
        from weitiao.tokenizing import train_tokenizer

        report = train_tokenizer(corpus, out=out, beside=beside, observer=observer, **settings)
    screen.result(report, *_page(report), bare=out)
    text = report["example"]["text"][:20]
    code = f"from transformers import AutoTokenizer as A; print(A.from_pretrained({out!r}).tokenize({text!r}))"
    screen.next(("python", "-c", code))


def _page(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    corpus, alphabet = report["corpus"], report["alphabet"]
    yield heading(_("Corpus"))
    read = _("{documents:,} documents, {characters:,} characters; {held:,} more documents held out")
    lines = {_("read"): read.format(documents=corpus["documents"], characters=corpus["characters"], held=corpus["held_out"])}
    if corpus["trained_on"] < corpus["characters"]:
        lines[_("trained on")] = _("{count:,} characters, taken evenly (--characters)").format(count=corpus["trained_on"])
    if report["kind"] != "byte-bpe":
        kept = _("{kept:,} of {all:,} different ones have an entry (--coverage)")
        lines[_("characters covered")] = kept.format(kept=alphabet["characters"], all=alphabet["of"])
    yield pairs(lines)
    yield from row_ledger(report["ledger"])
    on = (
        _("Figures on {count:,} held-out documents")
        if report["measured_on"]["split"] == "held_out"
        else _("Figures on {count:,} of the documents trained on (none was held out)")
    )
    yield heading(on.format(count=report["measured_on"]["documents"]))
    yield _figures(report)
    yield heading(_("The longest entries"))
    yield Padding(Text(" · ".join(report["longest"])), (0, 0, 0, 2), expand=False)
    yield heading(_("How one text is cut"))
    for cut in report["example"]["tokens"]:
        yield Padding(Text(cut["name"] or _("this one"), style="dim"), (0, 0, 0, 2), expand=False)
        yield Padding(_cut(cut["tokens"]), (0, 0, 0, 4), expand=False)
    yield Text("")
    yield pairs({_("written"): report["out"], _("for models like"): ", ".join(report["families"])})


def _figures(report: Mapping[str, Any]) -> RenderableType:
    """One column a tokenizer: names are long and there are few."""
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
    table.add_column(_("figure"))
    for row in report["tokenizers"]:
        table.add_column(row["name"] or _("this one"), justify="right", overflow="fold", style="" if row["name"] else "bold")
    shown = {
        _("entries"): ("vocabulary", "{:,}"),
        _("characters covered"): ("coverage", "{:.2%}"),
        _("unknown tokens"): ("unknown_rate", "{:.2%}"),
        _("tokens a character"): ("tokens_per_character", "{:.3f}"),
        _("characters a token"): ("characters_per_token", "{:.2f}"),
        _("texts read back as they were"): ("reads_back", "{:.1%}"),
    }
    for title, (name, form) in shown.items():
        table.add_row(title, *(form.format(row[name]) for row in report["tokenizers"]))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _cut(tokens: Sequence[str]) -> Text:
    """The tokens between bars, the first ones."""
    more = ["…"] if len(tokens) > SHOWN_TOKENS else []
    return Text(closed_up("|".join([*tokens[:SHOWN_TOKENS], *more])))
