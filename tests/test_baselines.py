"""The baselines: what they answer, how they are bounded, what they do with texts that hold nothing."""

import sys

import numpy as np
import pytest

from weitiao import baselines
from weitiao.baselines import majority_class, tfidf_logistic_regression
from weitiao.errors import UsageError

GOOD = ["lovely clean room", "kind and helpful staff", "great breakfast, lovely view", "clean quiet lovely place"]
BAD = ["dirty noisy room", "rude staff, awful smell", "awful breakfast and dirty towels", "noisy awful place"]


def test_majority_answers_with_the_training_frequencies():
    predictions = majority_class(["x", "y", "y"], 2, ["x", "y", "z"])
    assert predictions == [{"label": "y", "score": 2 / 3, "probabilities": {"x": 1 / 3, "y": 2 / 3, "z": 0.0}}] * 2


def test_words_tell_labels_apart():
    predictions = tfidf_logistic_regression(GOOD + BAD, ["1"] * 4 + ["0"] * 4, ["a lovely clean view", "awful and dirty"], ["0", "1"])
    assert [p["label"] for p in predictions] == ["1", "0"]
    for p in predictions:
        assert sum(p["probabilities"].values()) == pytest.approx(1) and p["score"] == p["probabilities"][p["label"]] > 0.5


def test_characters_where_the_script_has_no_spaces():
    texts = ["房间很干净", "服务非常好", "早餐很好吃", "房间很脏", "服务太差了", "早餐难吃"]
    labels = ["好评"] * 3 + ["差评"] * 3
    predictions = tfidf_logistic_regression(texts, labels, ["环境干净，服务非常好", "太脏太差"], ["好评", "差评"], spaces=False)
    assert [p["label"] for p in predictions] == ["好评", "差评"]


def test_labels_keep_their_order_and_unseen_ones_get_nothing():
    predictions = tfidf_logistic_regression(GOOD + BAD, ["10"] * 4 + ["9"] * 4, ["lovely"], ["9", "10", "11"])
    assert list(predictions[0]["probabilities"]) == ["9", "10", "11"] and predictions[0]["probabilities"]["11"] == 0


def test_three_labels():
    texts = [*GOOD, *BAD, "where is the pool", "what time is breakfast", "when do you open", "how much is a room"]
    labels = ["good"] * 4 + ["bad"] * 4 + ["question"] * 4
    assert tfidf_logistic_regression(texts, labels, ["when is the pool open"], ["bad", "good", "question"])[0]["label"] == "question"


@pytest.mark.parametrize("texts", [["!!", "??", "..."], ["", " ", "\n"]])
def test_texts_that_hold_nothing_get_the_most_frequent_label(texts):
    predictions = tfidf_logistic_regression(texts, ["a", "b", "b"], ["!", "words here"], ["a", "b"])
    assert predictions == majority_class(["a", "b", "b"], 2, ["a", "b"])


def test_huge_training_data_is_sampled_by_seed(monkeypatch):
    monkeypatch.setattr(baselines, "MOST_CHARACTERS", 1000)
    texts = ["x" * 10] * 5000
    rows = baselines._sample(texts)
    assert len(rows) == 100 and np.array_equal(rows, baselines._sample(texts)) and (np.diff(rows) > 0).all() and rows.max() > 2000
    assert len(baselines._sample(["y" * 5000])) == 1
    labels = ["a", "b"] * 2500
    assert len(tfidf_logistic_regression(texts, labels, ["x"], ["a", "b"], spaces=False)) == 1


def test_many_labels_mean_fewer_features(monkeypatch):
    from sklearn.feature_extraction import text

    seen = []

    class Spy(text.TfidfVectorizer):
        def __init__(self, **settings):
            seen.append(settings["max_features"])
            super().__init__(**settings)

    monkeypatch.setattr(text, "TfidfVectorizer", Spy)
    for count in (2, 400, 100_000):
        tfidf_logistic_regression(GOOD + BAD, ["1"] * 4 + ["0"] * 4, [], [str(i) for i in range(count)])
    assert seen == [4_000_000, 10_000, 1000]


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(UsageError, match=r"pip install 'weitiao\[baselines\]'"):
        tfidf_logistic_regression(GOOD, ["a", "b"] * 2, ["x"], ["a", "b"])
