"""The baselines of several labels, of numbers and of pairs."""

import numpy as np
import pytest

from weitiao.baselines import mean_value, most_frequent_labels, tfidf_logistic_regression, tfidf_one_vs_rest, tfidf_ridge

WORDS = {"food": ["breakfast", "soup", "bread"], "room": ["bed", "window", "door"]}


def texts(rows=60, seed=0):
    draw = np.random.default_rng(seed)
    answers = [[label for bit, label in enumerate(WORDS) if index >> bit & 1] for index in range(rows)]
    return [" ".join(["the", *(draw.choice(WORDS[label]) for label in row), "was fine"]) for row in answers], answers


def test_as_many_frequent_labels_as_pay():
    train = [["a", "b"]] * 6 + [["a"]] * 3 + [["c"]]
    (answer,) = most_frequent_labels(train, 1, ["a", "b", "c", "d"])
    assert answer == {"labels": ["a", "b"], "probabilities": {"a": 0.9, "b": 0.6, "c": 0.1, "d": 0.0}}


def test_a_model_a_label():
    train, answers = texts()
    asked, truth = texts(12, seed=1)
    predictions = tfidf_one_vs_rest(train, answers, asked, ["food", "room", "never"])
    assert [sorted(p["labels"]) for p in predictions] == truth
    assert all(p["probabilities"]["never"] == 0 for p in predictions) and list(predictions[0]["probabilities"]) == ["food", "room", "never"]
    assert tfidf_one_vs_rest(train, answers, [], ["food", "room"]) == []


def test_numbers():
    train, answers = texts()
    predictions = tfidf_ridge(train, [float(len(row)) for row in answers], ["the soup and bed", "the was"])
    assert predictions[0]["value"] > 1.3 and predictions[1]["value"] < 0.7
    assert mean_value([1, 2, 6], 2) == [{"value": 3.0}] * 2


def test_pairs_are_compared():
    draw = np.random.default_rng(0)
    words = [f"w{i}" for i in range(12)]
    pairs, alike = [], []
    for index in range(300):
        a, b = draw.choice(words, 2, replace=False)
        pairs.append((f"the {a} day", f"a {a if index % 2 else b} box"))
        alike.append(float(index % 2))
    values = [p["value"] for p in tfidf_ridge(pairs[:200], alike[:200], pairs[200:])]
    assert np.corrcoef(values, alike[200:])[0, 1] > 0.9
    answers = tfidf_logistic_regression(pairs[:200], [str(a) for a in alike[:200]], pairs[200:], ["0.0", "1.0"])
    assert np.mean([p["label"] == str(a) for p, a in zip(answers, alike[200:], strict=True)]) > 0.9


@pytest.mark.parametrize("train", [["!!", "??", "..."], ["", " ", "\n"]])
def test_texts_that_hold_nothing(train):
    assert tfidf_ridge(train, [1.0, 2.0, 3.0], ["x"]) == [{"value": 2.0}]
    assert tfidf_one_vs_rest(train, [["a"], [], ["a"]], ["x"], ["a"])[0]["labels"] == ["a"]
