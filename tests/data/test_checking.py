"""The data check: every finding where it is due, none where it is not, and near-duplicates against brute force."""

import random
from typing import Any

import numpy as np
import pytest

from weitiao.data import checking
from weitiao.data.checking import check
from weitiao.data.ledger import Ledger
from weitiao.data.near_duplicates import THRESHOLD, near_pairs
from weitiao.data.records import Records

WORDS = "parcel refund screen battery invoice courier password delivery colour price broken late fine slow kind rude cheap heavy"


def sentence(draw: random.Random) -> str:
    return " ".join(draw.choice(WORDS.split()) for _word in range(9)) + f" {draw.randint(0, 10**6)}"


def healthy(rows: int, seed: int, source: str = "a.csv") -> Records:
    """Distinct sentences with two labels in turn."""
    draw = random.Random(seed)
    return Records({"text": [sentence(draw) for _row in range(rows)], "label": ["a", "b"] * (rows // 2)}, np.arange(2, rows + 2), source)


def splits_of(**changed: Records) -> dict[str, Records]:
    return {"train": healthy(200, 1), "validation": healthy(60, 2, "v.csv"), "test": healthy(60, 3, "t.csv"), **changed}


def with_rows(records: Records, *rows: tuple[str, str]) -> Records:
    columns = {"text": records.columns["text"] + [r[0] for r in rows], "label": records.columns["label"] + [r[1] for r in rows]}
    return Records(columns, np.arange(2, len(columns["text"]) + 2), records.source)


def findings(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["code"]: finding for finding in found["findings"]}


def test_healthy_data_has_no_findings() -> None:
    found = check(splits_of(), labels=["a", "b"])
    assert found["findings"] == []
    assert found["rows"] == {"train": 200, "validation": 60, "test": 60}
    assert found["labels"] == [
        {"label": "a", "train": 100, "validation": 30, "test": 30},
        {"label": "b", "train": 100, "validation": 30, "test": 30},
    ]
    assert found["language"] == "en"
    assert found["scripts"] == [{"script": "Latin", "share": 1.0}]
    assert found["near_duplicates_searched"] == {"rows": 320, "of": 320}


def test_duplicates_conflicts_and_overlap() -> None:
    train = healthy(200, 1)
    first, second, third = train.columns["text"][:3]
    held = with_rows(healthy(60, 3, "t.csv"), (second, "b"), (f"{third}!", "a"))
    found = findings(check(splits_of(train=with_rows(train, (first.upper() + " ", "a"), (first, "b")), test=held), labels=["a", "b"]))
    assert {code: finding["count"] for code, finding in found.items()} == {
        "exact_duplicates": 2,
        "conflicting_labels": 1,
        "overlap_test": 1,
        "near_overlap_test": 1,
    }
    assert found["exact_duplicates"]["examples"][0] == {"source": "a.csv", "rows": [2, 202, 203], "text": first, "labels": ["a", "b"]}
    assert found["overlap_test"]["examples"][0]["also"] == [{"source": "a.csv", "rows": [3]}]
    assert found["near_overlap_test"]["examples"][0]["other"] == {"source": "a.csv", "row": 4, "text": third}


def test_near_duplicates_within_train() -> None:
    train = healthy(200, 1)
    found = findings(check(splits_of(train=with_rows(train, (train.columns["text"][0] + "?", "a"))), labels=["a", "b"]))
    assert {code: finding["count"] for code, finding in found.items()} == {"near_duplicates": 1}


def test_labels() -> None:
    train = with_rows(healthy(200, 1), ("a rare kind of thing", "c"), ("another one of them", "A "), ("and then a few", "A "))
    test = with_rows(healthy(60, 3, "t.csv"), ("nobody has seen this", "d"))
    found = findings(check(splits_of(train=train, test=test), labels=["a", "b"]))
    assert found.keys() == {
        *(
            "unseen_labels",
            "single_row_classes",
            "small_classes",
            "class_imbalance",
            "similar_labels",
            "absent_from_validation",
            "absent_from_test",
        )
    }
    assert (found["unseen_labels"]["severity"], found["unseen_labels"]["count"]) == ("error", 1)
    assert '"d"' in found["unseen_labels"]["message"]
    assert [example["labels"] for example in found["similar_labels"]["examples"]] == [["a"], ["A "]]
    assert found["unseen_labels"]["examples"] == [{"source": "t.csv", "rows": [62], "text": "nobody has seen this", "labels": ["d"]}]
    for finding in found.values():
        assert all(example.keys() >= {"source", "rows", "text", "labels"} for example in finding["examples"])


def test_one_class() -> None:
    only = Records({"text": ["one of it", "two of them"], "label": ["a", "a"]}, np.arange(2), "a.csv")
    assert check({"train": only})["findings"][0]["code"] == "one_class"


def test_many_labels() -> None:
    train = healthy(200, 1)
    train = Records({"text": train.columns["text"], "label": [str(i) for i in range(100)] * 2}, train.rows, "a.csv")
    assert "many_labels" in findings(check({"train": train}))


def test_lengths_and_truncation() -> None:
    train = healthy(200, 1)
    lengths = check({"train": train}, token_lengths=lambda texts: [len(text.split()) for text in texts], limit=9)["lengths"]
    assert (lengths["unit"], lengths["limit"], lengths["median"], lengths["max"]) == ("tokens", 9, 10, 10)
    assert (lengths["truncated_rows"], lengths["truncated_share"]) == (200, 1.0)
    assert sum(bar["count"] for bar in lengths["histogram"]) == 200
    characters = check({"train": with_rows(train, ("x" * 100_000, "a"))})
    assert characters["lengths"]["unit"] == "characters"
    assert characters["lengths"]["truncated_rows"] == 0
    assert characters["lengths"]["histogram"][-1]["high"] == 100_001
    assert findings(characters)["very_long_texts"]["count"] == 1


def test_characters() -> None:
    odd = with_rows(
        healthy(200, 1),
        ("bell \x07 in here", "a"),
        ("it\ufffds broken here", "a"),
        ("youÃ©", "b"),
        *((f"第{i}间房的一切都很好，" * 30, "a") for i in range(20)),
    )
    found = findings(check({"train": odd}))
    assert (found["control_characters"]["count"], found["damaged_characters"]["count"]) == (1, 2)
    assert "Han" in found["mixed_scripts"]["message"]


def test_the_ledger_is_told() -> None:
    ledger = Ledger()
    ledger.add("a.csv", 7, "dropped", "empty_text")
    ledger.add("a.csv", 9, "dropped", "missing_label", 'It is written "nan".')
    ledger.add("a.csv", 11, "dropped", "ragged_row", "it has 3 cells")
    found = findings(check(splits_of(), labels=["a", "b"], ledger=ledger))
    assert set(found) == {"empty_text", "missing_label", "unreadable_rows"}
    assert "(rows 9)" in found["missing_label"]["message"]
    assert 'It is written "nan".' in found["missing_label"]["message"]


def test_large_data_is_sampled_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MOST_NEAR_TEXTS", 100)
    monkeypatch.setattr(checking, "MOST_MEASURED", 150)
    found = check(splits_of(), labels=["a", "b"], token_lengths=lambda texts: [12] * len(texts), limit=4)
    assert found["near_duplicates_searched"] == {"rows": 100, "of": 320}
    assert found["lengths"]["measured"] == {"rows": 150, "of": 320}
    assert found["lengths"]["truncated_rows"] == 320


def test_without_labels() -> None:
    train = Records({"text": healthy(60, 1).columns["text"]}, np.arange(60), "a.csv")
    found = check({"train": train}, label_field=None)
    assert (found["labels"], found["findings"]) == ([], [])


def test_near_pairs_against_brute_force() -> None:
    draw = random.Random(0)
    texts = [sentence(draw) for _text in range(300)]
    for text in texts[:60]:
        at = draw.randrange(len(text) - 3)
        texts.append(text[:at] + draw.choice(["", "x", "yy"]) + text[at + draw.randint(0, 2) :] + " ")
    shingles = [{text[i : i + 5] for i in range(len(text) - 4)} for text in texts]
    true = {b for b in range(len(texts)) for a in range(b) if len(shingles[a] & shingles[b]) >= THRESHOLD * len(shingles[a] | shingles[b])}
    pairs = near_pairs(texts, 5)
    assert len(true) > 40
    assert {b for _a, b, _overlap in pairs} <= true
    assert len({b for _a, b, _overlap in pairs}) >= 0.97 * len(true)
    for a, b, overlap in pairs:
        assert overlap == pytest.approx(len(shingles[a] & shingles[b]) / len(shingles[a] | shingles[b]))


def test_short_texts_are_not_near_each_other() -> None:
    assert near_pairs(["好", "坏", "很好", "ok", "no", "a", ""], 3) == []


def numbered(labels: list[str]) -> Records:
    draw = random.Random(4)
    return Records({"text": [sentence(draw) for _label in labels], "label": labels}, np.arange(2, len(labels) + 2), "n.csv")


def test_labels_that_are_numbers_name_the_task_that_learns_numbers() -> None:
    splits = splits_of(train=numbered([f"{at / 10}" for at in range(36)] * 2), validation=numbered(["0.8", "9.9"] * 30))
    found = findings(check(splits, for_numbers=["regression"]))
    assert "(36 different ones, such as 0.0, 1.2, 2.4)" in found["numeric_labels"]["message"]
    assert found["numeric_labels"]["message"].endswith("type --task regression.")
    # How many rows each number has, and where it does not occur, is not worth a word then.
    assert not {"small_classes", "single_row_classes", "class_imbalance", "absent_from_validation"} & set(found)


@pytest.mark.parametrize("labels", [["0", "1"], ["1.0", "2.0"], ["3.5", "none"], ["v1.2", "v1.3"]])
def test_classes_that_are_called_by_numbers_stay_classes(labels: list[str]) -> None:
    assert "numeric_labels" not in findings(check(splits_of(train=numbered(labels * 40)), for_numbers=["regression"]))
    assert "numeric_labels" not in findings(check(splits_of(train=numbered(["0.5", "1.5"] * 40))))  # no task to name


def test_what_is_marked_is_counted_by_kind_and_split() -> None:
    train, test = healthy(4, 1), healthy(2, 2)
    train.columns["marks"], test.columns["marks"] = [["person", "person"], [], ["place"], []], [["date"], []]
    found = check({"train": train, "test": test})
    assert found["marks"] == [
        {"label": "date", "train": 0, "test": 1},
        {"label": "person", "train": 2, "test": 0},
        {"label": "place", "train": 1, "test": 0},
    ]
    assert check({"train": healthy(4, 1)})["marks"] == []
