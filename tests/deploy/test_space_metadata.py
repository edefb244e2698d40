"""The one line that a hub shows of a Space: what this very model does, within the hub's limit, and no word of it cut."""

from typing import Any

import pytest

from weitiao import tasks
from weitiao.deploy.space.metadata import SHORT, body, short_description
from weitiao.messages import speaking

MINI = {"id": "offline:all-MiniLM-L6-v2", "source": "offline"}
HUB = {"id": "Helsinki-NLP/opus-mt-en-de", "source": "hub"}
TAGS = ["O", *(f"{prefix}-{kind}" for kind in ("LOC", "MISC", "ORG", "PER") for prefix in "BI")]


@pytest.mark.parametrize(
    ("task", "record", "line"),
    [
        (
            "text-classification",
            {"spec": {"labels": ["billing", "delivery", "returns", "technical"]}, "base_model": MINI},
            "One label for a text: billing, delivery, returns, technical",
        ),
        (
            "text-classification",
            {"spec": {"labels": ["admiration", "amusement", "anger", "annoyance", "approval", "caring"], "multi_label": True}},
            "Labels for a text: admiration, amusement, anger and 3 more",
        ),
        ("token-classification", {"spec": {"tags": TAGS}}, "The names in a text and what they are: LOC, MISC, ORG, PER"),
        ("token-classification", {"spec": {"tags": ["O", "PER"], "scheme": "plain"}}, "The names in a text and what they are: PER"),
        ("feature-extraction", {"base_model": MINI}, "A vector for a text, with all-MiniLM-L6-v2"),
        ("translation", {"base_model": HUB}, "The same said in another language, with opus-mt-en-de"),
        ("translation", {"base_model": {"id": "/home/ann/base", "source": "folder"}}, "The same said in another language."),
        ("text-classification", {"spec": {"labels": ["x" * 50]}, "base_model": MINI}, "One label for a text, with all-MiniLM-L6-v2"),
        ("text-classification", {"spec": {"labels": ["x" * 50]}}, "One label for a text"),
        ("text-classification", {"spec": {"labels": ["0", "1"]}, "base_model": MINI}, "One label for a text, with all-MiniLM-L6-v2"),
        ("zero-shot-classification", {"spec": {"labels": ["a"]}, "base_model": MINI}, "Which of the labels you name fits a text"),
    ],
)
def test_it_says_what_this_model_does(task: str, record: dict[str, Any], line: str) -> None:
    assert short_description(tasks.get(task), record) == line


@pytest.mark.parametrize(("several", "labels"), [(False, "一个标签"), (True, "若干标签")])
def test_it_says_so_in_chinese(several: bool, labels: str) -> None:
    record = {"spec": {"labels": ["计费", "物流"], "multi_label": several}}
    with speaking("zh"):
        line = short_description(tasks.get("text-classification"), record)
    assert line == f"为一段文本给出{labels}：计费、物流"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("task", tasks.all_tasks().values(), ids=lambda task: task.name)
def test_it_is_within_the_limit_and_ends_with_a_word(task: Any, language: str) -> None:
    with speaking(language):
        line = short_description(task, {})
    assert 0 < len(line) <= SHORT and "…" not in line


def test_a_long_summary_of_somebodys_own_loses_whole_words() -> None:
    class Own(type(tasks.get("regression"))):  # type: ignore[misc]
        summary = "Says how many working days a repair of a household appliance is going to take in our own workshop"

    assert short_description(Own(), {}) == "Says how many working days a repair of a household…"
    Own.summary = "修" * 80
    assert short_description(Own(), {}) == "修" * 59 + "…"
    Own.summary = "x" * 80  # one word: there is no other way
    assert short_description(Own(), {}) == "x" * 59 + "…"


@pytest.mark.parametrize(
    ("named", "said"),
    [("Apache-2.0", "made from: apache-2.0."), ("other", "that model's card spells out"), (None, "Nothing is known here")],
)
def test_a_licence_that_has_no_name_is_not_called_other(named: str | None, said: str) -> None:
    text = body("a", tasks.get("regression"), {"base_model": {"license": named}}, told=[], commands=[])
    assert said in text and "other." not in text
