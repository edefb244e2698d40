"""Figures that must be reached: how they are stated, and what is said where they are not."""

import pytest

from weitiao.errors import GateError, UsageError
from weitiao.metrics import Demand, check_demands, foresee_demands, parse_demands

EVALUATION = {"metrics": {"accuracy": 0.79996, "f1_macro": 0.7, "mae": 0.4, "log_loss": None}, "headline": "accuracy"}


@pytest.mark.parametrize("text", ["accuracy", "accuracy=", "=0.5", "accuracy=high", "accuracy=nan", ""])
def test_what_is_no_demand_says_how_one_looks(text: str) -> None:
    with pytest.raises(UsageError, match=r"--at-least accuracy=0\.8"):
        parse_demands([text], "--at-least")


def test_what_is_reached_passes_and_what_is_not_is_told_together() -> None:
    check_demands(EVALUATION, parse_demands(["accuracy=0.79", "f1_macro=70%"], "--at-least"), parse_demands(["mae=0.4"], "--at-most"))
    with pytest.raises(GateError, match=r"accuracy is 0\.79996, and 0\.8 at least.*mean absolute error is 0\.4, and 0\.3 at most"):
        check_demands(EVALUATION, [Demand("accuracy", 0.8)], [Demand("mae", 0.3)])


def test_a_figure_that_could_not_be_measured_reaches_nothing() -> None:
    with pytest.raises(GateError, match="–"):
        check_demands(EVALUATION, [], [Demand("log_loss", 5.0)])


def test_a_figure_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UsageError, match="accuracy, f1_macro, mae"):
        check_demands(EVALUATION, [Demand("acc", 0.5)])


def test_at_least_is_not_for_what_should_be_small() -> None:
    with pytest.raises(UsageError, match=r"--at-most mae=0\.5"):
        check_demands(EVALUATION, [Demand("mae", 0.5)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accuracy=80", r"accuracy=80 can never be: accuracy is between 0 and 1\. Did you mean accuracy=0\.8, which is accuracy=80%\?"),
        ("f1_macro=1.01", r"macro F1 is between 0 and 1\.$"),
        ("accuracy=800%", r"accuracy=8 can never be: accuracy is between 0 and 1\.$"),
        ("accuracy=-0.1", r"between 0 and 1\.$"),
        ("pearson=-2", r"between -1 and 1\.$"),
        ("bleu=101", r"between 0 and 100\.$"),
        ("r2=1.5", r"at most 1\."),
    ],
)
def test_a_value_that_a_figure_never_has_is_refused(text: str, said: str) -> None:
    demands = parse_demands([text], "--at-least")
    with pytest.raises(UsageError, match=said):
        foresee_demands(demands, [], {})
    foresee_demands(demands, [], EVALUATION, own=True)  # whoever wrote the task may scale it as they like


def test_a_perplexity_below_one_is_refused_and_percents_are_of_what_a_figure_can_be() -> None:
    with pytest.raises(UsageError, match="perplexity is at least 1"):
        foresee_demands([], [Demand("perplexity", 0.5)], {})
    assert parse_demands(["bleu=30%", "accuracy=30%", "mine=30%", "mae=30%"], "--at-least") == [
        *(Demand("bleu", 30.0, True), Demand("accuracy", 0.3, True), Demand("mine", 0.3, True), Demand("mae", 0.3, True)),
    ]
    # Nobody knows up to what a figure goes that somebody's own task calls BLEU.
    assert parse_demands(["bleu=30%", "bleu=30"], "--at-least", own=True) == [Demand("bleu", 0.3, True), Demand("bleu", 30.0)]


def test_a_figure_that_nobody_knows_is_named_before_the_work_with_the_nearest() -> None:
    for evaluation in ({}, EVALUATION):
        with pytest.raises(UsageError, match=r'no figure "acuracy".*Did you mean "accuracy"'):
            foresee_demands([Demand("acuracy", 0.8)], [], evaluation)
    foresee_demands([Demand("rouge1", 0.2), Demand("own", 3.0)], [], {"metrics": {"own": 2.0}})  # which figures come may depend on the rows
    foresee_demands([Demand("acuracy", 0.8)], [], EVALUATION, own=True)
    with pytest.raises(UsageError, match=r"--at-most mae=0\.5"):
        foresee_demands([Demand("mae", 0.5)], [], {})


def test_every_figure_that_people_have_a_word_for_and_is_no_baseline_has_its_range() -> None:
    from weitiao.metrics.ranges import RANGES
    from weitiao.metrics.titles import SMALLER_IS_BETTER, TITLES

    first_baseline = list(TITLES).index("majority")  # the table ends with the baselines
    assert set(list(TITLES)[:first_baseline]) <= set(RANGES)
    assert all(RANGES[name][0] is not None for name in SMALLER_IS_BETTER)
