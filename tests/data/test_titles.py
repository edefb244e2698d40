"""Splits, scripts and the ledger's reasons have a name in every language."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import weitiao
from weitiao import messages
from weitiao.data import language, titles
from weitiao.data.duplicates import drop_duplicates
from weitiao.data.ledger import Ledger
from weitiao.data.loading import SPLIT_NAMES

SOURCES = Path(weitiao.__file__).parent


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything that is translated stands in angle brackets."""
    monkeypatch.setattr(messages._catalogue("en"), "gettext", lambda text: f"<{text}>")
    yield


def test_every_split_and_script_is_named() -> None:
    assert titles.SPLITS.keys() == SPLIT_NAMES.keys()
    assert titles.SCRIPTS.keys() == {script for _first, _last, script in language.SCRIPT_RANGES}


def test_every_reason_that_is_written_is_named() -> None:
    """Codes that stand in calls as they are; those with a field's or a split's name in them follow a pattern."""
    calls = re.compile(r'ledger\.add\([^"\n]*"(?:dropped|repaired)", "(\w+)"|bad\.add\([^"\n]*"(\w+)"|_Problem\("(\w+)"')
    found = {
        code for path in SOURCES.rglob("*.py") for groups in calls.findall(path.read_text(encoding="utf-8")) for code in groups if code
    }
    assert {"ragged_row", "half_character", "exact_duplicate", "broken_json", "bad_record"} <= found
    assert found <= titles.REASONS.keys()


def test_names_are_translated_where_they_are_said(marked: None) -> None:
    assert titles.split_title("validation") == "<validation>"
    assert titles.script_title("Han") == "<Han>"
    assert titles.reason_title("dropped:missing_label") == "<dropped><: ><missing: <label>>"
    assert titles.reason_title("label_whitespace") == "<white space around: <label>>"
    assert titles.reason_title("in_validation") == "<also in <validation>>"
    assert titles.reason_title("missing_in_label") == "<left out of a list: blank <label>>"


def test_sentences_use_them(marked: None) -> None:
    from .test_checking import findings, splits_of, with_rows

    splits = splits_of()
    train = splits["train"]
    splits["test"] = with_rows(splits["test"], (train.columns["text"][0], "a"))
    ledger = Ledger()
    drop_duplicates(splits, ledger)
    assert ledger.entries[0].detail == "<The same text stands in <test>.>"
    from weitiao.data.checking import check

    said = findings(check({**splits, "validation": train.select(range(4))}, labels=["a", "b", "c"]))
    assert "<Rows of the <test> split" in said["overlap_test"]["message"]
    assert "<Rows in the <validation> split" in said["small_split"]["message"]
