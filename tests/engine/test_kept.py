"""What stays of a model's decisions, entity by entity, and what so few of them can show."""

import pytest

from weitiao import tasks
from weitiao.engine.kept import KEPT, few, kept


def test_it_is_the_share_of_equal_labels_and_the_f1_of_entities() -> None:
    task = tasks.get("text-classification")
    good, bad = {"label": "good"}, {"label": "bad"}
    assert kept(task, [good, bad, bad, bad], [good, good, bad, bad]) == (0.75, 4, 4)
    assert kept(task, [{"labels": ["a", "b"]}], [{"labels": ["b"]}]) == (pytest.approx(2 / 3), 2, 1)
    one = {"start": 0, "end": 3, "label": "PER", "score": 0.5}
    assert kept(task, [{"spans": [one]}], [{"spans": [{**one, "score": 0.4}]}]) == (1.0, 1, 1)
    assert kept(task, [{"spans": []}], [{"spans": []}]) == (1.0, 0, 0)
    assert kept(task, [{"spans": []}], [{"spans": [one]}]) == (0.0, 0, 1)


def test_texts_in_which_nothing_is_found_hide_no_entity_that_changed() -> None:
    task, empty = tasks.get("token-classification"), {"spans": []}
    one = {"start": 0, "end": 3, "label": "PER", "score": 0.5}
    mine, theirs = [{"spans": [one]}, *[empty] * 99], [{"spans": [{**one, "end": 4}]}, *[empty] * 99]
    assert kept(task, mine, theirs) == (0.0, 1, 1)  # 99% of the rows are the same, and none of the entities


def test_what_so_few_can_show() -> None:
    assert few(100, 100, 1 - KEPT) == "" and few(200, 190, 0.005) == ""
    said = few(42, 42, 1 - KEPT)
    assert "Only 42 answers were compared: one is 2.4% of them, and 1.0% may change." in said
    assert "From 100 answers on one is no more than 1.0%" in said and "--test" in said
    lost = few(56, 56, 0.005, of_figure=True)
    assert "one is 1.8% of them, and 0.5% may be lost. From 200 answers on" in lost
    assert "finds nothing in these rows" in few(0, 0, 1 - KEPT)
    only_there = few(0, 7, 1 - KEPT)
    assert "in 8 bits 7" in only_there and "in 8 bits or without" not in only_there


def test_one_answer_may_cost_less_than_its_share_so_nothing_is_said_of_what_may_change() -> None:
    """Of 60 entities one goes missing: more than 1% of them, and the share that stays is still enough."""
    task = tasks.get("token-classification")
    found = [{"start": at, "end": at + 1, "label": "PER", "score": 0.5} for at in range(60)]
    both = kept(task, [{"spans": found}], [{"spans": found[1:]}])
    assert both.share >= KEPT and 1 / both.decided > 1 - KEPT
    assert "none" not in few(both.decided, both.otherwise, 1 - KEPT)
