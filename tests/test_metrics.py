"""Metrics against scikit-learn, the bootstrap against its definition, and the verdict's honesty."""

import json
import warnings

import numpy as np
import pytest

from weitiao.errors import DataError
from weitiao.metrics import classification, classification_scores, compare, resamples, resampling, standing
from weitiao.metrics.classification import HEADLINES


def answers(labels, probabilities):
    """Predictions from a matrix of probabilities (rows, labels)."""
    return [
        {"label": labels[int(p.argmax())], "score": float(p.max()), "probabilities": dict(zip(labels, p.tolist(), strict=True))}
        for p in probabilities
    ]


def random_case(rows, classes, skill, seed=0, weights=None):
    random = np.random.default_rng(seed)
    labels = [f"label {i}" for i in range(classes)]
    true = random.choice(classes, size=rows, p=weights)
    logits = random.normal(size=(rows, classes)) + skill * np.eye(classes)[true]
    exponents = np.exp(logits)
    return labels, [labels[i] for i in true], answers(labels, exponents / exponents.sum(axis=1, keepdims=True))


CASES = [
    random_case(200, 2, 1.5),
    random_case(500, 7, 2.0, weights=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05, 0.0]),  # one label that never occurs
    random_case(40, 30, 1.0, seed=3),  # more labels than most rows reach
    (["a", "b"], ["a"] * 5, answers(["a", "b"], np.array([[0.9, 0.1]] * 5))),  # everything the same
]


@pytest.mark.parametrize(("labels", "truth", "predictions"), CASES)
def test_figures_are_those_of_scikit_learn(labels, truth, predictions):
    from sklearn import metrics as reference

    scores = classification_scores(truth, predictions, labels)
    got, answered = scores["metrics"], [p["label"] for p in predictions]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "accuracy": reference.accuracy_score(truth, answered),
            "balanced_accuracy": reference.balanced_accuracy_score(truth, answered),
            "f1_macro": reference.f1_score(truth, answered, average="macro"),
            "f1_weighted": reference.f1_score(truth, answered, average="weighted"),
            "mcc": reference.matthews_corrcoef(truth, answered),
            # scikit-learn sorts its labels; the columns follow.
            "log_loss": reference.log_loss(
                truth, [[p["probabilities"][k] for k in sorted(labels)] for p in predictions], labels=sorted(labels)
            ),
        }
        per_class = reference.precision_recall_fscore_support(truth, answered, labels=labels, zero_division=0)
    assert {name: got[name] for name in expected} == pytest.approx(expected)
    for name, column in zip(("precision", "recall", "f1", "support"), per_class, strict=True):
        assert [line[name] for line in scores["per_class"]] == pytest.approx(column.tolist())
    assert [line["predicted"] for line in scores["per_class"]] == [answered.count(label) for label in labels]
    assert scores["confusion_matrix"]["matrix"] == reference.confusion_matrix(truth, answered, labels=labels).tolist()


def test_calibration_error_is_the_weighted_gap_over_fifteen_bins():
    labels, truth, predictions = random_case(400, 4, 1.0, seed=5)
    scores = classification_scores(truth, predictions, labels)
    gap = 0.0
    for low in np.arange(15) / 15:
        inside = [(p["score"], p["label"] == t) for p, t in zip(predictions, truth, strict=True) if low < p["score"] <= low + 1 / 15]
        if inside:
            confidence, right = np.mean(inside, axis=0)
            gap += len(inside) / len(truth) * abs(confidence - right)
    assert scores["metrics"]["ece"] == pytest.approx(gap)
    assert sum(b["count"] for b in scores["calibration"]) == 400


def test_certainty_stands_in_the_last_bin():
    scores = classification_scores(["a", "a"], [{"label": "a", "score": 1.0, "probabilities": {"a": 1.0, "b": 0.0}}] * 2, ["a", "b"])
    assert [(b["low"], b["high"], b["count"]) for b in scores["calibration"]] == [(pytest.approx(14 / 15), 1.0, 2)]
    assert scores["metrics"]["ece"] == 0


def test_a_probability_of_zero_for_the_truth_is_a_large_loss_and_not_infinite():
    scores = classification_scores(["b"], [{"label": "a", "score": 1.0, "probabilities": {"a": 1.0, "b": 0.0}}], ["a", "b"])
    assert 36 < scores["metrics"]["log_loss"] < 37


def test_labels_that_training_never_saw_count_as_wrong():
    predictions = answers(["a", "b"], np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.9, 0.1]]))
    scores = classification_scores(["a", "b", "z", "新"], predictions, ["a", "b"])
    assert scores["confusion_matrix"]["labels"] == ["a", "b", "z", "新"]
    assert scores["confusion_matrix"]["matrix"] == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert scores["per_class"][2] == {"label": "z", "precision": 0, "recall": 0, "f1": 0, "support": 1, "predicted": 0}
    assert scores["metrics"]["accuracy"] == 0.5 and scores["log_loss_rows"] == 2
    assert scores["metrics"]["log_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.7)) / 2)


def test_log_loss_is_left_out_where_no_label_is_known():
    scores = classification_scores(["z"], answers(["a", "b"], np.array([[0.8, 0.2]])), ["a", "b"])
    assert "log_loss" not in scores["metrics"] and scores["metrics"]["accuracy"] == 0


def test_intervals_hold_the_figure_and_come_from_resampled_rows():
    labels, truth, predictions = random_case(120, 3, 1.0, seed=8)
    scores = classification_scores(truth, predictions, labels)
    for name in HEADLINES:
        low, high = scores["intervals"][name]
        assert low < scores["metrics"][name] < high
    # The definition, row by row: score the first resamples again.
    first = next(resamples(120))[:20]
    again = [classification_scores([truth[i] for i in r], [predictions[i] for i in r], labels)["metrics"] for r in first]
    for name in HEADLINES:
        assert scores["draws"][name][:20] == pytest.approx([m[name] for m in again])
    right = np.array([p["label"] == t for p, t in zip(predictions, truth, strict=True)])
    spread = np.sqrt(right.mean() * (1 - right.mean()) / len(right))
    assert np.std(scores["draws"]["accuracy"]) == pytest.approx(spread, rel=0.1)


def test_resamples_come_in_bounded_chunks_and_repeat(monkeypatch):
    whole = np.concatenate(list(resamples(50)))
    assert whole.shape == (resampling.RESAMPLES, 50) and whole.min() == 0 and whole.max() == 49
    monkeypatch.setattr(resampling, "CHUNK", 5000)
    chunks = list(resamples(50))
    assert max(c.size for c in chunks) <= 5000
    np.testing.assert_array_equal(np.concatenate(chunks), whole)


def test_small_chunks_give_the_same_draws(monkeypatch):
    labels, truth, predictions = random_case(60, 4, 1.0)
    expected = classification_scores(truth, predictions, labels)["draws"]
    for module in (resampling, classification):
        monkeypatch.setattr(module, "CHUNK", 300)
    assert classification_scores(truth, predictions, labels)["draws"] == expected


def test_scores_are_plain_json():
    labels, truth, predictions = random_case(30, 3, 1.0)
    json.dumps(classification_scores(truth, predictions, labels), allow_nan=False)


def test_no_rows_is_an_error():
    with pytest.raises(DataError, match="no rows"):
        classification_scores([], [], ["a", "b"])


def scores_of(truth, right):
    """Scores of a classifier that is right exactly in the rows where ``right`` holds."""
    other = {"a": "b", "b": "a"}
    predictions = [
        {"label": t if r else other[t], "score": 0.9, "probabilities": {t if r else other[t]: 0.9, other[t] if r else t: 0.1}}
        for t, r in zip(truth, right, strict=True)
    ]
    return classification_scores(truth, predictions, ["a", "b"])


TRUTH = ["a", "b"] * 100


def test_a_clear_win_is_said_and_the_best_baseline_chosen():
    right = np.arange(200) % 10 != 0  # 90%
    rivals = {"majority": scores_of(TRUTH, np.arange(200) % 2 == 0), "tfidf_logistic_regression": scores_of(TRUTH, np.arange(200) % 10 > 2)}
    result = compare(scores_of(TRUTH, right), rivals, "f1_macro")
    verdict = result["verdict"]
    assert verdict["beats_baselines"] is True and verdict["clear"] is True
    assert verdict["best_baseline"] == "tfidf_logistic_regression" and verdict["interval"][0] > 0
    assert "The difference is clear" in verdict["text"] and "TF-IDF + logistic regression" in verdict["text"]
    assert set(result["baselines"]["majority"]) == {"metrics", "intervals"} and "draws" not in result
    json.dumps(result, allow_nan=False)


def test_a_win_within_noise_is_said():
    right = np.arange(200) < 161
    result = compare(scores_of(TRUTH, right), {"majority": scores_of(TRUTH, np.arange(200) >= 40)}, "accuracy")["verdict"]
    assert result["beats_baselines"] is True and result["clear"] is False and "within noise" in result["text"]


def test_pairing_sees_what_separate_intervals_hide():
    # Two rows better and never worse: the two intervals overlap almost entirely, the paired difference still cannot be negative.
    rival = np.arange(200) >= 40
    model = rival | (np.arange(200) < 6)
    verdict = compare(scores_of(TRUTH, model), {"majority": scores_of(TRUTH, rival)}, "accuracy")["verdict"]
    assert verdict["difference"] == pytest.approx(0.03) and verdict["clear"] is True


@pytest.mark.parametrize(("wrong", "clear", "words"), [(60, True, "use the baseline"), (22, False, "within noise")])
def test_a_model_below_the_baseline_is_told_so(wrong, clear, words):
    model, rival = np.arange(200) >= wrong, np.arange(200) < 180
    verdict = compare(scores_of(TRUTH, model), {"tfidf_logistic_regression": scores_of(TRUTH, rival)}, "accuracy")["verdict"]
    assert verdict["beats_baselines"] is False and verdict["clear"] is clear and verdict["difference"] < 0
    assert words in verdict["text"] and "0.900" in verdict["text"]


def test_a_tie_does_not_beat():
    same = scores_of(TRUTH, np.arange(200) >= 40)
    verdict = compare(same, {"majority": same}, "accuracy")["verdict"]
    assert verdict["beats_baselines"] is False and verdict["clear"] is False
    assert standing(verdict) == "even" and "do not tell them apart" in verdict["text"]


def test_a_handful_of_rows_proves_nothing():
    truth, right, wrong = TRUTH[:5], np.full(5, True), np.full(5, False)  # the bootstrap of these has no width
    verdict = compare(scores_of(truth, right), {"majority": scores_of(truth, wrong)}, "accuracy", rows=5)["verdict"]
    assert standing(verdict) == "even" and "So few test rows" in verdict["text"]
    assert standing(compare(scores_of(truth, right), {"majority": scores_of(truth, wrong)}, "accuracy", rows=6)["verdict"]) == "better"


def test_metrics_that_should_be_small_and_scores_without_draws():
    verdict = compare({"metrics": {"mae": 0.4}}, {"mean": {"metrics": {"mae": 0.9}}}, "mae", "min")["verdict"]
    assert verdict["beats_baselines"] is True and verdict["difference"] == pytest.approx(0.5) and verdict["interval"] is None
    assert standing(verdict) == "better"
    assert verdict["text"] == "This model reaches 0.400 mean absolute error; the best simple baseline (the mean, always) 0.900."


def test_no_baselines_no_verdict():
    assert compare({"metrics": {"accuracy": 0.4}}, {}, "accuracy")["verdict"]["beats_baselines"] is None
