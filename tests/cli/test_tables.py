"""Tables from the shared dictionaries: nothing of the user's is taken for markup, nothing missing is a crash."""

import copy
import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.cli.conftest import CHECK, COLUMNS, EVALUATION, PLAN
from weitiao.cli import figures, tables


def drawn(*renderables: object, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for renderable in renderables:
        console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_everything_fits_the_terminal(width: int) -> None:
    renderables = [*tables.checked(CHECK, COLUMNS, {"dropped:empty_text": 2}), *tables.training_plan(PLAN), *figures.evaluated(EVALUATION)]
    page = drawn(*renderables, width=width)
    assert max(cell_len(line) for line in page.splitlines()) <= width


def test_the_users_brackets_are_no_markup() -> None:
    page = drawn(*tables.checked(CHECK, COLUMNS, {}), *figures.evaluated(EVALUATION))
    assert page.count("[red]好评") == 2
    assert "a [bold]lovely day [bad, good]" in page


def test_findings_stand_gravest_first() -> None:
    page = drawn(*tables.findings([*CHECK["findings"], {"code": "x", "severity": "error", "count": 1, "message": "Grave."}]))
    assert page.index("✗ Grave.") < page.index("! Two rows") < page.index("· Labels")
    assert "Nothing to complain about." in drawn(*tables.findings([]))


def test_rows_that_were_only_reported_are_no_ledger() -> None:
    assert "Row ledger" not in drawn(*tables.checked(CHECK, COLUMNS, {"kept:exact_duplicate": 3}))
    assert re.search(r"1,234\s+truncated\s+too long", drawn(*tables.checked(CHECK, COLUMNS, {"truncated:too_long": 1234})))


def test_many_labels_are_counted_not_listed() -> None:
    check = copy.deepcopy(CHECK)
    check["labels"] = [{"label": f"label {i}", "train": 1, "validation": 0, "test": 0} for i in range(77)]
    assert "and 57 more labels" in drawn(*tables.checked(check, COLUMNS, {}))


def test_what_is_marked_is_counted_below_the_rows() -> None:
    marks = [{"label": "person", "train": 1200, "validation": 3, "test": 4}, {"label": "place", "train": 400, "validation": 0, "test": 1}]
    page = drawn(*tables.checked({**CHECK, "labels": [], "marks": marks}, COLUMNS, {}))
    assert re.search(r"Marked in the texts\n.*\n.*\n  person +1,200 +3 +4 +█+ 75% *\n", page)
    assert re.search(r"  all +1,600 +3 +5 *\n", page)
    assert "Marked" not in drawn(*tables.checked(CHECK, COLUMNS, {}))


def test_a_check_without_lengths_scripts_or_labels_is_drawn() -> None:
    bare = {"rows": {"train": 3, "validation": 0, "test": 0}, "labels": [], "findings": []}
    assert "Nothing to complain about." in drawn(*tables.checked(bare, {"fields": {}}, {}))


def test_a_plan_without_an_estimate_is_drawn() -> None:
    page = drawn(*tables.training_plan(PLAN | {"estimate": None, "truncated_rows": 0, "trainable_parameters": 10}))
    assert "10 of 1,000" in page
    assert "memory" not in page


@pytest.mark.parametrize(
    ("beats", "clear", "mark"),
    [(True, None, "✓"), (True, True, "✓"), (True, False, "·"), (False, True, "✗"), (False, False, "·"), (None, None, "!")],
)
def test_the_verdict_carries_its_mark(beats: bool | None, clear: bool | None, mark: str) -> None:
    assert drawn(figures.verdict({"beats_baselines": beats, "clear": clear, "text": "So it is."})).strip() == f"{mark} So it is."


def test_missing_figures_are_dashes() -> None:
    evaluation = {"split": "data", "rows": 3, "source": "new.csv", "metrics": {"accuracy": None, "own_metric": float("nan")}}
    page = drawn(*figures.evaluated(evaluation))
    assert "new.csv" in page
    assert page.count("–") == 2


def test_an_epoch_is_one_line() -> None:
    evaluation = {
        "split": "validation",
        "epoch": 2,
        "step": 10,
        "validation": {"loss": 0.5},
        "metrics": {"accuracy": 0.8},
        "best": {"step": 10},
    }
    assert figures.epoch_line(evaluation).plain == "Epoch 2  loss 0.500 · accuracy 0.800  best so far"
    assert "best" not in figures.epoch_line({**evaluation, "best": {"step": 5}}).plain


def test_an_epoch_shows_the_figure_that_decides_whatever_the_task() -> None:
    line = {"epoch": 1, "step": 3, "metrics": {"loss": 2.5, "mae": 0.4, "r2": 0.1, "pearson": 0.7, "spearman": None, "rmse": 0.5}}
    assert figures.epoch_line({**line, "best": {"step": 3, "metric": "spearman"}}).plain == (
        "Epoch 1  loss 2.500 · Pearson correlation 0.700 · mean absolute error 0.400  best so far"
    )
    assert "loss 2.500 · R² 0.100" in figures.epoch_line({**line, "best": {"step": 2, "metric": "r2"}}).plain


def test_no_column_is_empty() -> None:
    entities = [{"label": "person", "precision": 0.5, "recall": 0.25, "f1": 0.333, "support": 1200}]
    evaluation = {
        "split": "test",
        "rows": 10,
        "metrics": {"f1": 0.3},
        "baselines": {"dictionary": {"metrics": {"f1": 0.2}}, "lead": {"metrics": {"rouge1": 0.2}}},
        "per_class": entities,
    }
    page = drawn(*figures.evaluated(evaluation))
    assert "dictionary of training entities" in page
    assert "the text's beginning" not in page
    assert "1,200" in page
    assert "predicted" not in page
    assert "threshold" not in page
    assert "threshold" in drawn(*figures.evaluated({**evaluation, "per_class": [{**entities[0], "threshold": 0.41}]}))


def test_written_answers_stand_beside_their_references_with_what_the_figures_depend_on() -> None:
    rows = [
        {"input": f"source {i}", "reference": f"wanted {i}", "prediction": "" if i else "[b]written", "score": i / 10} for i in range(5)
    ]
    evaluation = {
        "split": "test",
        "rows": 5,
        "metrics": {"bleu": 31.2, "perplexity": 41234.56},
        "intervals": {"bleu": [29.0, 33.0], "perplexity": [40000.0, 42000.0]},
        "signature": "nrefs:1|case:mixed|tok:zh",
        "segmenter": "jieba",
        "side_by_side": rows,
    }
    page = drawn(*figures.evaluated(evaluation))
    for words in ("nrefs:1|case:mixed|tok:zh", "Chinese words (jieba)", "[b]written", "wanted 2", "41,234.6 (40,000.0–42,000.0)"):
        assert words in page
    assert "wanted 3" not in page


def test_an_evaluation_without_any_figure_is_drawn() -> None:
    assert "Evaluation on 3 rows" in drawn(*figures.evaluated({"split": "data", "rows": 3, "source": "a.csv", "metrics": {}}))
