"""Figures that must be reached: how they are stated, and what is said where they are not."""

import pytest

from weitiao.errors import GateError, UsageError
from weitiao.metrics import Demand, check_demands, parse_demands

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
