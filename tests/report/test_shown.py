"""What page and terminal both show of an explained answer."""

from typing import Any

import pytest

from weitiao.report.shown import coloured, label_rows, moved, settings


def word(field: str, text: str, start: int, change: float, answer: Any = "good") -> dict[str, Any]:
    return {
        "field": field,
        "start": start,
        "end": start + len(text),
        "text": text,
        "answer": answer,
        "without": [1.0 + change],
        "change": [change],
    }


def facts(*words: dict[str, Any]) -> dict[str, Any]:
    influence = {"measures": [{"name": "good", "kind": "probability", "value": 1.0}], "words": list(words)}
    return {"input": {"text": "so lovely", "pair": "it was"}, "influence": influence}


def test_all_texts_are_coloured_on_one_scale() -> None:
    first, second = coloured(facts(word("text", "so", 0, 0.25), word("text", "lovely", 3, -0.5), word("pair", "it", 0, 0.05)))
    assert [(piece["text"], piece["weight"]) for piece in first] == [("", 0.0), ("so", -0.5), (" ", 0.0), ("lovely", 1.0), ("", 0.0)]
    assert second[1]["weight"] == pytest.approx(-0.1)
    assert "".join(piece["text"] for piece in second) == "it was"
    assert coloured({"influence": None}) == []


def test_changes_too_small_to_matter_get_no_full_bar() -> None:
    (text,) = coloured(facts(word("text", "so", 0, 0.001)))
    assert text[1]["weight"] == pytest.approx(-0.1)


def test_the_words_that_moved_most_come_first_with_the_answer_in_a_word() -> None:
    given = (word("text", "so", 0, 0.25, 3.14159), word("text", "lovely", 3, -0.5, ["a", "b"]), word("pair", "it", 0, 0.0, []))
    (measure,) = moved(facts(*given)["influence"], "{:.2f}".format)
    assert (measure["name"], measure["value"]) == ("good", 1.0)
    assert [(one["text"], one["width"], one["answer"]) for one in measure["words"]] == [
        ("lovely", 1.0, "a, b"),
        ("so", 0.5, "3.14"),
        ("it", 0.0, "–"),
    ]


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ({"label": "b", "probabilities": {"a": 0.2, "b": 0.5, "c": 0.3}}, ["b"]),
        ({"labels": ["b", "c"], "probabilities": {"a": 0.2, "b": 0.9, "c": 0.8}}, ["b", "c"]),
        ({"labels": [], "probabilities": {"a": 0.2, "b": 0.1, "c": 0.3}}, []),
    ],
)
def test_the_label_table_keeps_its_order_until_it_is_too_long(answer: dict[str, Any], chosen: list[str]) -> None:
    decode = {"labels": [{"id": at, "label": label} for at, label in enumerate("abc")], "answer": answer}
    rows = label_rows(decode, 3)
    assert [row["label"] for row in rows] == ["a", "b", "c"]
    assert [row["label"] for row in rows if row["chosen"]] == chosen
    shares = [row["share"] for row in label_rows(decode, 2)]
    assert shares == sorted(answer["probabilities"].values(), reverse=True)[:2]


def test_labels_that_the_answer_says_nothing_of_have_no_share() -> None:
    decode = {"labels": [{"id": 0, "label": "O"}, {"id": 1, "label": "B-A"}], "answer": {"spans": []}}
    assert [(row["share"], row["chosen"]) for row in label_rows(decode, 2)] == [(None, False), (None, False)]


def test_settings_are_those_that_fit_on_a_line() -> None:
    spec = {
        "segmenter": "words\nand more",
        "threshold": [0.5],
        "top_k": 3,
        "multi_label": True,
        "mean": 1 / 3,
        "none": None,
        "long": "x" * 201,
    }
    assert settings(spec) == {"segmenter": "words\\nand more", "top_k": "3", "multi_label": "true", "mean": "0.333333"}
