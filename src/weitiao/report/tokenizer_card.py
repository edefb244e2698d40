"""The README.md of a trained tokenizer: what it is for, what it was trained on, and its figures. It holds no path of this machine."""

from collections.abc import Mapping
from typing import Any

from weitiao.report.formats import file_name
from weitiao.report.rendering import render


def tokenizer_card(report: Mapping[str, Any]) -> str:
    """The page, in the language in force, from what ``tokenizing.train_tokenizer`` gives."""
    sources = [file_name(source.rstrip("/\\")) for source in report["corpus"]["sources"]]
    rows = [{**row, "name": file_name(row["name"])} for row in report["tokenizers"]]
    cuts = [{"name": file_name(cut["name"]), "tokens": cut["tokens"]} for cut in report["example"]["tokens"]]
    return render("tokenizer.md.j2", report=report, sources=sources, rows=rows, cuts=cuts).strip() + "\n"
