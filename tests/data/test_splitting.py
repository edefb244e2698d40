"""Splits: exact sizes, shares kept by class, the same everywhere, and nothing on both sides."""

import numpy as np
import pytest

from weitiao.data.normalising import text_keys
from weitiao.data.records import Records
from weitiao.data.splitting import split
from weitiao.errors import DataError


def records(labels: list[str], texts: list[str] | None = None) -> Records:
    return Records({"text": texts or [f"text {i}" for i in range(len(labels))], "label": labels}, np.arange(2, len(labels) + 2), "a.csv")


def labels_of(part: Records) -> dict[str, int]:
    return {label: part.columns["label"].count(label) for label in sorted(set(part.columns["label"]))}


def test_shares_are_kept_by_class() -> None:
    given = records(["a"] * 700 + ["b"] * 250 + ["c"] * 50)
    parts = split(given, {"validation": 0.1, "test": 0.2}, given.columns["label"], seed=1)
    assert labels_of(parts["train"]) == {"a": 490, "b": 175, "c": 35}
    assert labels_of(parts["validation"]) == {"a": 70, "b": 25, "c": 5}
    assert labels_of(parts["test"]) == {"a": 140, "b": 50, "c": 10}
    together = np.concatenate([part.rows for part in parts.values()])
    assert sorted(together.tolist()) == given.rows.tolist()
    assert all((np.diff(part.rows) > 0).all() for part in parts.values())


def test_the_seed_decides() -> None:
    given = records(["a", "b"] * 50)
    first, again, other = (split(given, {"test": 0.2}, given.columns["label"], seed)["test"].rows.tolist() for seed in (3, 3, 4))
    assert first == again != other
    # Pinned: another machine, and another numpy, must give the same rows.
    assert first == [2, 6, 9, 11, 22, 30, 33, 36, 49, 53, 61, 62, 69, 76, 78, 79, 82, 88, 91, 101]


def test_every_class_trains() -> None:
    given = records(["a"] * 30 + ["b"] + ["c"] * 2 + ["d"])
    parts = split(given, {"validation": 0.3, "test": 0.3}, given.columns["label"], seed=0)
    assert set(parts["train"].columns["label"]) == {"a", "b", "c", "d"}
    assert sum(map(len, parts.values())) == 34


def test_the_same_text_stays_on_one_side() -> None:
    texts = [f"text {i // 4}" for i in range(400)]
    given = records([("a" if i % 4 else "b") for i in range(400)], texts)
    parts = split(given, {"test": 0.25}, given.columns["label"], 5, text_keys(texts))
    assert not set(parts["train"].columns["text"]) & set(parts["test"].columns["text"])
    assert len(parts["test"]) == 100


def test_a_class_that_only_shares_texts_still_trains() -> None:
    texts = ["same"] * 2 + [f"text {i}" for i in range(20)]
    given = records(["a", "rare"] + ["a"] * 20, texts)
    for seed in range(10):
        assert "rare" in split(given, {"test": 0.5}, given.columns["label"], seed, text_keys(texts))["train"].columns["label"]


def test_without_labels() -> None:
    assert {name: len(part) for name, part in split(records(["?"] * 10), {"validation": 0.1}, None, 0).items()} == {
        "train": 9,
        "validation": 1,
    }


def test_too_few_rows() -> None:
    given = records(["a", "b", "c"])
    with pytest.raises(DataError, match=r"a\.csv has 3 usable rows; at least 5 are needed to hold out validation \(0\.1\), test \(0\.1\)"):
        split(given, {"validation": 0.1, "test": 0.1}, given.columns["label"])
    same = records(["a"] * 50 + ["b"], ["same"] * 50 + ["other"])
    with pytest.raises(DataError, match="--drop-duplicates"):
        split(same, {"test": 0.1}, same.columns["label"], 0, text_keys(same.columns["text"]))
