"""Multi-label figures against scikit-learn, and the choice of thresholds against trying them all."""

import itertools

import numpy as np
import pytest
from sklearn import metrics as reference

from weitiao.errors import DataError
from weitiao.metrics import multi_label_scores
from weitiao.metrics.thresholds import choose_thresholds, f1_micro, one_threshold, threshold_per_label

LABELS = ["anger", "joy", "grief", "neutral"]


def answers(rows=200, seed=0):
    """True labels and predictions that know something of them; "grief" is never true."""
    draw = np.random.default_rng(seed)
    truth = draw.random((rows, 4)) < [0.1, 0.3, 0.0, 0.5]
    probabilities = np.clip(truth * 0.4 + draw.random((rows, 4)) * 0.6, 0, 1).round(2)
    given = probabilities >= 0.5
    named = [[label for label, has in zip(LABELS, row, strict=True) if has] for row in truth]
    predictions = [
        {
            "labels": [label for label, has in zip(LABELS, row, strict=True) if has],
            "probabilities": dict(zip(LABELS, each.tolist(), strict=True)),
        }
        for row, each in zip(given, probabilities, strict=True)
    ]
    return named, predictions, truth, given, probabilities


def test_figures_are_those_of_scikit_learn():
    named, predictions, truth, given, probabilities = answers()
    scores = multi_label_scores(named, predictions, LABELS)
    found = scores["metrics"]
    for average in ("micro", "macro", "weighted"):
        # As it happens "grief" is predicted, so it counts in the macro mean of both.
        assert found[f"f1_{average}"] == pytest.approx(reference.f1_score(truth, given, average=average, zero_division=0))
    assert found["subset_accuracy"] == pytest.approx(reference.accuracy_score(truth, given))
    there = truth.any(axis=0)
    assert found["average_precision"] == pytest.approx(reference.average_precision_score(truth[:, there], probabilities[:, there]))
    assert found["average_precision_micro"] == pytest.approx(reference.average_precision_score(truth, probabilities, average="micro"))
    losses = [reference.log_loss(t, p, labels=[0, 1]) for t, p in zip(truth.T, probabilities.T, strict=True)]
    assert found["log_loss"] == pytest.approx(np.mean(losses))
    precision, recall, f1, support = reference.precision_recall_fscore_support(truth, given, zero_division=0)
    for at, row in enumerate(scores["per_class"]):
        assert row["label"] == LABELS[at] and row["support"] == support[at] and row["predicted"] == given[:, at].sum()
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision[at], recall[at], f1[at]))


def test_intervals_hold_the_figure_and_draws_are_the_figures_of_resamples():
    from weitiao.metrics import resamples

    named, predictions, truth, given, _probabilities = answers()
    scores = multi_label_scores(named, predictions, LABELS)
    for name, (low, high) in scores["intervals"].items():
        assert low < scores["metrics"][name] < high
    drawn = next(resamples(len(named)))[7]
    for average in ("micro", "weighted"):
        expected = reference.f1_score(truth[drawn], given[drawn], average=average, zero_division=0)
        assert scores["draws"][f"f1_{average}"][7] == pytest.approx(expected, abs=1e-6)
    assert scores["draws"]["subset_accuracy"][7] == pytest.approx((truth[drawn] == given[drawn]).all(axis=1).mean(), abs=1e-6)


def test_unknown_labels_can_only_be_missed_and_rows_without_labels_count():
    predictions = [{"labels": ["joy"], "probabilities": {"joy": 0.9}}, {"labels": [], "probabilities": {"joy": 0.1}}]
    scores = multi_label_scores([["joy", "awe"], []], predictions, ["joy"])
    assert scores["metrics"]["f1_micro"] == pytest.approx(2 / 3) and scores["metrics"]["subset_accuracy"] == 0.5
    assert [(row["label"], row["support"], row["f1"]) for row in scores["per_class"]] == [("joy", 1, 1.0), ("awe", 1, 0.0)]


def test_nothing_true_and_nothing_given_is_no_division_by_zero():
    scores = multi_label_scores([[], []], [{"labels": [], "probabilities": {"joy": 0.2}}] * 2, ["joy"])
    assert scores["metrics"]["f1_micro"] == 0 and "average_precision" not in scores["metrics"]
    assert scores["metrics"]["average_precision_micro"] == 0  # as scikit-learn has it; a training cannot choose by what is not there
    assert all(np.isfinite(value) for value in scores["metrics"].values())
    with pytest.raises(DataError, match="no rows"):
        multi_label_scores([], [], ["joy"])


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_are_the_best_there_are(seed):
    draw = np.random.default_rng(seed)
    truth = draw.random((12, 2)) < 0.4
    probabilities = (truth * 0.2 + draw.random((12, 2)) * 0.8).round(1)
    cuts = np.arange(-0.05, 1.2, 0.1)
    best_one = max(f1_micro(probabilities >= cut, truth) for cut in cuts)
    best_each = max(f1_micro(probabilities >= np.array(pair), truth) for pair in itertools.product(cuts, cuts))
    assert f1_micro(probabilities >= one_threshold(probabilities, truth), truth) == pytest.approx(best_one)
    assert f1_micro(probabilities >= threshold_per_label(probabilities, truth), truth) == pytest.approx(best_each)


def test_folds_choose_per_label_where_labels_differ_and_one_where_they_do_not():
    draw = np.random.default_rng(0)
    truth = draw.random((400, 6)) < 0.2
    level = np.array([0.1, 0.3, 0.5, 0.7, 0.2, 0.6])  # every label has its own scale
    threshold, chosen = choose_thresholds(level * (0.5 + truth * 0.8 + 0.1 * draw.random((400, 6))), truth)
    assert chosen["kind"] == "per_label" and len(threshold) == 6
    assert chosen["cross_validated_f1_micro"]["per_label"] > chosen["cross_validated_f1_micro"]["one"]
    noisy = draw.random((60, 30)) * 0.7 + 0.3 * (rare := draw.random((60, 30)) < 0.05)
    threshold, chosen = choose_thresholds(noisy, rare)
    assert chosen["kind"] == "one" and isinstance(threshold, float)
    assert choose_thresholds(noisy, rare) == (threshold, chosen)


def test_no_label_at_all_leaves_one_half():
    assert choose_thresholds(np.random.default_rng(0).random((60, 3)), np.zeros((60, 3)))[0] == 0.5
