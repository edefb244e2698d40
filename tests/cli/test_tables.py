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


def test_a_check_without_lengths_scripts_or_labels_is_drawn() -> None:
    bare = {"rows": {"train": 3, "validation": 0, "test": 0}, "labels": [], "findings": []}
    assert "Nothing to complain about." in drawn(*tables.checked(bare, {"fields": {}}, {}))


def test_a_plan_without_an_estimate_is_drawn() -> None:
    page = drawn(*tables.training_plan(PLAN | {"estimate": None, "truncated_rows": 0, "trainable_parameters": 10}))
    assert "10 of 1,000" in page
    assert "memory" not in page


@pytest.mark.parametrize(("beats", "mark"), [(True, "✓"), (False, "✗"), (None, "!")])
def test_the_verdict_carries_its_mark(beats: bool | None, mark: str) -> None:
    assert drawn(figures.verdict({"beats_baselines": beats, "text": "So it is."})).strip() == f"{mark} So it is."


def test_missing_figures_are_dashes() -> None:
    evaluation = {"split": "data", "rows": 3, "source": "new.csv", "metrics": {"accuracy": None, "own_metric": float("nan")}}
    page = drawn(*figures.evaluated(evaluation))
    assert "new.csv" in page
    assert page.count("–") == 2


def test_narrow_terminals_show_label_score_and_text() -> None:
    predictions = [{"label": "差评", "score": 0.7, "probabilities": {"差评": 0.7, "好评": 0.3}}]
    narrow = drawn(figures.predictions(["糟糕的体验"], predictions, width=40), width=40)
    assert "差评" in narrow
    assert "0.700" in narrow
    assert "糟糕的体验" in narrow
    assert "好评" not in narrow
    assert "好评 0.300" in drawn(figures.predictions(["糟糕的体验"], predictions, width=100))


def test_predictions_of_other_tasks_are_drawn_too() -> None:
    assert "summary" in drawn(figures.predictions(["a text"], [{"summary": "short"}], width=100))


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
