"""The column plan: by what was named, by name, by content; and what is not clear is asked, not guessed."""

import pytest

from weitiao.data.columns import ColumnPlan, plan_columns
from weitiao.data.table import Table
from weitiao.errors import DataError, UsageError

from .conftest import LABEL, TEXT


def table(**columns: list[str]) -> Table:
    """A table of 24 rows from a few values a column, repeated."""
    cells = [[values[i % len(values)] for values in columns.values()] for i in range(24)]
    return Table.of(list(columns), cells, range(2, 26), "a.csv")


def unlike(words: str) -> list[str]:
    """24 different texts."""
    return [f"{words} {i} of them" for i in range(24)]


def columns_of(given: Table, **how: object) -> dict[str, tuple[str, ...]]:
    return plan_columns(given, [TEXT], [LABEL], **how).fields  # type: ignore[arg-type]


def test_by_name_in_both_languages() -> None:
    ids = [str(i) for i in range(24)]
    assert columns_of(table(id=ids, Text=unlike("a"), TARGET=["0", "1"])) == {"text": ("Text",), "label": ("TARGET",)}
    assert columns_of(table(标签=["好", "坏"], 评论=unlike("很好的酒店"))) == {"text": ("评论",), "label": ("标签",)}


def test_a_name_with_the_word_in_it() -> None:
    assert columns_of(table(review_text=unlike("good"), main_category=["a", "b"])) == {
        "text": ("review_text",),
        "label": ("main_category",),
    }
    assert columns_of(table(评论内容=unlike("好的"), 情感标签=["正", "负"])) == {"text": ("评论内容",), "label": ("情感标签",)}


def test_the_fields_own_name_beats_other_hints() -> None:
    plan = plan_columns(table(text=unlike("a"), title=unlike("b"), label=["x", "y"], category=["p", "q"]), [TEXT], [LABEL])
    assert (plan.fields, plan.unused) == ({"text": ("text",), "label": ("label",)}, ("title", "category"))
    assert plan.why["text"] == 'Its name is "text".'


def test_by_content() -> None:
    given = table(a=[str(i) for i in range(24)], b=unlike("something long that somebody wrote"), c=["yes", "no"], d=["0.5", "0.25", "0.75"])
    plan = plan_columns(given, [TEXT], [LABEL])
    assert plan.fields == {"text": ("b",), "label": ("c",)}
    assert "longest texts" in plan.why["text"]
    assert "few different values (2)" in plan.why["label"]


def test_ambiguity_lists_the_candidates() -> None:
    with pytest.raises(DataError, match=r'could be the Label: "c" \(«yes»\), "d" \(«\w+»\)\. Say which, for example --label c'):
        columns_of(table(b=unlike("something"), c=["yes", "no"], d=["red", "green", "blue"]))
    with pytest.raises(
        DataError, match=r'could be the Text: .*"title".*"review".*--text title \(or join them: --text "title,review"\)|"review".*"title"'
    ):
        columns_of(table(title=unlike("a"), review=unlike("b"), label=["1", "0"]))


def test_a_longer_text_beside_a_likely_one_is_asked_about() -> None:
    given = table(title=unlike("a"), abstract=unlike("quite a bit longer than that"), label=["1", "0"])
    with pytest.raises(DataError, match=r'could be the Text: "title".*"abstract"'):
        columns_of(given)
    assert columns_of(table(text=unlike("a"), abstract=unlike("quite a bit longer than that"), label=["1", "0"]))["text"] == ("text",)


def test_dates_are_no_labels() -> None:
    given = table(day=["2024-01-31", "2024-02-01"], words=unlike("some"), kind=["a", "b"])
    assert columns_of(given)["label"] == ("kind",)


def test_what_was_named_wins() -> None:
    given = table(title=unlike("a"), review=unlike("b"), label=["1", "0"], other=["p", "q"])
    plan = plan_columns(given, [TEXT], [LABEL], {"text": ("title", "review"), "label": "other"}, " / ")
    assert plan.fields == {"text": ("title", "review"), "label": ("other",)}
    assert plan.as_dict() == {
        "fields": {
            "text": {"columns": ["title", "review"], "type": "text", "why": "It was named with --text."},
            "label": {"columns": ["other"], "type": "choice", "why": "It was named with --label."},
        },
        "unused": ["label"],
        "text_separator": " / ",
    }
    assert ColumnPlan.from_dict(plan.as_dict(), [TEXT], [LABEL]) == plan


def test_a_column_is_one_thing_only() -> None:
    given = table(text=unlike("a"), label=["1", "0"])
    with pytest.raises(UsageError, match='"text" was named twice'):
        columns_of(given, chosen={"text": "text", "label": "text"})
    with pytest.raises(UsageError, match="--label takes one column"):
        columns_of(given, chosen={"label": ("label", "text")})


def test_labels_may_be_absent_when_predicting() -> None:
    assert columns_of(table(text=unlike("a"), note=["p", "q"]), need_outputs=False) == {"text": ("text",)}
    assert columns_of(table(whatever=["ok", "no"]), need_outputs=False) == {"text": ("whatever",)}
    assert columns_of(table(text=unlike("a"), label=["p", "q"]), need_outputs=False) == {"text": ("text",), "label": ("label",)}


def test_numbers_are_no_labels() -> None:
    with pytest.raises(DataError, match="no column looks like the Label"):
        columns_of(table(text=unlike("a"), measured=[f"{i / 7:.3f}" for i in range(24)]))


def test_a_name_does_not_make_texts_labels() -> None:
    with pytest.raises(DataError, match="no column looks like the Label"):
        columns_of(table(text=unlike("a"), target=unlike("a translation")))
    assert columns_of(table(text=unlike("a"), target=unlike("b")), chosen={"label": "target"})["label"] == ("target",)
    assert columns_of(table(text=unlike("a"), label=["always"]))["label"] == ("label",)
