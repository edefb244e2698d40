"""Figures of numbers against scipy and scikit-learn, ties and constants included."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from weitiao.errors import DataError
from weitiao.metrics import regression_scores, resamples


def numbers(rows=150):
    """Stars with many ties, and predictions that follow them."""
    draw = np.random.default_rng(0)
    truth = draw.integers(1, 6, rows).astype(float)
    return truth, (truth + draw.normal(0, 1, rows)).round(1)


def expected(truth, predicted):
    return {
        "pearson": stats.pearsonr(truth, predicted).statistic,
        "spearman": stats.spearmanr(truth, predicted).statistic,
        "mae": reference.mean_absolute_error(truth, predicted),
        "rmse": reference.root_mean_squared_error(truth, predicted),
        "r2": reference.r2_score(truth, predicted),
    }


def test_figures_and_resamples_are_those_of_scipy_and_scikit_learn():
    truth, predicted = numbers()
    scores = regression_scores(truth.tolist(), predicted.tolist())
    assert scores["metrics"] == pytest.approx(expected(truth, predicted))
    drawn = next(resamples(len(truth)))[3]
    assert {name: values[3] for name, values in scores["draws"].items()} == pytest.approx(expected(truth[drawn], predicted[drawn]))
    for name, (low, high) in scores["intervals"].items():
        assert low < scores["metrics"][name] < high


@pytest.mark.parametrize(
    ("truth", "predicted", "r2"),
    [([2, 2, 2], [2, 2, 2], 1), ([2, 2, 2], [1, 2, 3], 0), ([1, 2, 3], [2, 2, 2], 0), ([5], [4], 0), ([0.1] * 3, [0.1] * 3, 1)],
)
def test_constants_give_numbers(truth, predicted, r2):
    scores = regression_scores(truth, predicted)
    assert scores["metrics"]["pearson"] == scores["metrics"]["spearman"] == 0 and scores["metrics"]["r2"] == pytest.approx(r2)
    assert all(np.isfinite(value) for value in scores["metrics"].values())
    assert all(np.isfinite(values).all() for values in scores["draws"].values())


def test_small_and_large_units_make_no_difference():
    truth, predicted = numbers()
    plain = regression_scores(truth, predicted)["metrics"]
    for unit in (1e-120, 1e120):
        scaled = regression_scores(truth * unit, predicted * unit)["metrics"]
        assert (scaled["pearson"], scaled["spearman"]) == pytest.approx((plain["pearson"], plain["spearman"]))


def test_a_plot_has_at_most_two_thousand_points():
    assert len(regression_scores(range(5000), range(5000))["residuals"]["points"]) == 2000
    assert regression_scores([1, 2], [3, 4])["residuals"]["points"] == [[1, 3], [2, 4]]


def test_no_rows():
    with pytest.raises(DataError, match="no rows"):
        regression_scores([], [])
