"""The column plan: by what was named, by name, by content; and what is not clear is asked, not guessed."""

from dataclasses import replace

import pytest

from weitiao.data.cleaning import to_records
from weitiao.data.columns import ColumnPlan, plan_columns
from weitiao.data.conversations import with_messages
from weitiao.data.ledger import Ledger
from weitiao.data.loading import fit_plan
from weitiao.data.schema import Schema
from weitiao.data.table import Table
from weitiao.errors import DataError, UsageError
from weitiao.fields import Field

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


def test_names_that_differ_only_in_case_are_asked_about() -> None:
    with pytest.raises(DataError, match=r'could be the Label: "label" .*"Label"'):
        columns_of(table(text=unlike("a"), label=["yes", "no"], Label=["red", "green", "blue"]))
    with pytest.raises(DataError, match=r'could be the Text: "review_text".*"Review_Text"'):
        columns_of(table(review_text=unlike("a"), Review_Text=unlike("b"), label=["1", "0"]))
    named = columns_of(table(text=unlike("a"), label=["yes", "no"], Label=["red", "green"]), chosen={"label": "Label"})
    assert named["label"] == ("Label",)
    # Half of it a text, half of it numbers: only one of the two can be the text.
    assert columns_of(table(Text=[str(i) for i in range(24)], TEXT=unlike("b"), label=["1", "0"]))["text"] == ("TEXT",)


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
            "text": {"columns": ["title", "review"], "type": "text", "why": "You named it."},
            "label": {"columns": ["other"], "type": "choice", "why": "You named it."},
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


NOTE = Field("note", "text", "Note", flag="note", hints=("note", "备注"), optional=True)
SEVERAL = replace(LABEL, several=True)


def test_an_optional_field_is_taken_where_its_name_is_plain() -> None:
    given = table(text=unlike("a"), note=unlike("b"), label=["x", "y"])
    plan = plan_columns(given, [TEXT, NOTE], [LABEL])
    assert plan.fields == {"text": ("text",), "note": ("note",), "label": ("label",)}
    assert plan.optional == {"note"} and plan.outputs == {"label"}
    assert ColumnPlan.from_dict(plan.as_dict(), [TEXT, NOTE], [LABEL]) == plan


def test_two_texts_are_said_to_become_a_pair_where_the_task_reads_pairs() -> None:
    first, second = replace(TEXT, second="pair"), Field("pair", "text", "Second text", flag="pair", optional=True)
    given = table(title=unlike("a"), review=unlike("b"), label=["x", "y"])
    with pytest.raises(DataError, match=r'or take both as a pair: --text "review,title"; or joined, with --text-separator " "'):
        plan_columns(given, [first, second], [LABEL])
    three = table(title=unlike("a"), review=unlike("b"), text1=unlike("c"), label=["x", "y"])
    with pytest.raises(DataError, match=r'\(or join them: --text "'):
        plan_columns(three, [replace(first, hints=()), second], [LABEL])


def test_an_optional_field_is_never_guessed_and_never_missed() -> None:
    given = table(text=unlike("a"), remark=unlike("b"), label=["x", "y"])
    plan = plan_columns(given, [TEXT, NOTE], [LABEL])
    assert (plan.fields, plan.unused) == ({"text": ("text",), "label": ("label",)}, ("remark",))
    assert plan_columns(given, [TEXT, NOTE], [LABEL], {"note": ("remark",)}).fields["note"] == ("remark",)
    with pytest.raises(DataError, match=r'no column "remrk".*Did you mean "remark"'):
        plan_columns(given, [TEXT, NOTE], [LABEL], {"note": ("remrk",)})


def test_an_optional_field_may_be_empty_in_a_row() -> None:
    given = Table.of(["text", "note", "label"], [["a", "n", "x"], ["b", None, "y"], [None, "m", "x"]], [2, 3, 4], "a.csv")
    ledger = Ledger()
    plan = plan_columns(given, [TEXT, NOTE], [LABEL])
    assert to_records(given, plan, ledger).columns == {"text": ["a", "b"], "note": ["n", None], "label": ["x", "y"]}
    assert ledger.counts() == {"dropped:empty_text": 1}


def test_an_optional_column_that_another_file_lacks_is_left_out() -> None:
    plan = plan_columns(table(text=unlike("a"), note=unlike("b"), label=["x", "y"]), [TEXT, NOTE], [LABEL])
    schema = Schema([TEXT, NOTE], [LABEL])
    assert fit_plan(table(text=unlike("a"), label=["x", "y"]), plan, schema).fields == {"text": ("text",), "label": ("label",)}
    with pytest.raises(DataError, match='no column "label"'):
        fit_plan(table(text=unlike("a"), note=unlike("b")), plan, schema)


def test_a_column_of_lists_is_several_choices_where_the_field_allows_it() -> None:
    given = table(text=unlike("a"), label=['["x", "y"]', "[]"])
    plan = plan_columns(given, [TEXT], [SEVERAL])
    assert (plan.fields["label"], plan.types["label"]) == (("label",), "choices")
    assert ColumnPlan.from_dict(plan.as_dict(), [TEXT], [SEVERAL]) == plan
    assert to_records(given, plan, Ledger()).columns["label"][:2] == [["x", "y"], []]
    assert plan_columns(given, [TEXT], [LABEL]).types["label"] == "choice"


def test_one_row_without_a_list_makes_single_labels() -> None:
    given = table(text=unlike("a"), label=["[x]", "y"])
    assert plan_columns(given, [TEXT], [SEVERAL]).types["label"] == "choice"


@pytest.mark.parametrize("label", [LABEL, SEVERAL], ids=["one", "several"])
def test_single_labels_take_one_column(label: Field) -> None:
    given = table(text=unlike("a"), a=["x", "y"], b=["p", "q"])
    with pytest.raises(UsageError, match=r"--label takes one column; given are a, b\."):
        plan_columns(given, [TEXT], [label], {"label": ("a", "b")})


def test_several_columns_are_one_list_for_a_field_of_choices() -> None:
    given = table(text=unlike("a"), a=["x", ""], b=["p", "q"])
    plan = plan_columns(given, [TEXT], [replace(LABEL, type="choices")], {"label": ("a", "b")})
    assert to_records(given, plan, Ledger()).columns["label"][:2] == [["x", "p"], ["q"]]


def test_lists_beside_plain_labels_are_lists() -> None:
    cells = ['["a", "b"]', "b", '["c"]', '["a", "d"]']
    given = table(text=unlike("x"), label=cells)
    plan = plan_columns(given, [TEXT], [SEVERAL])
    assert plan.types["label"] == "choices"
    assert to_records(given, plan, Ledger()).columns["label"][:4] == [["a", "b"], ["b"], ["c"], ["a", "d"]]
    many = [f'["a{i}", "b"]' if i % 4 else "b" for i in range(24)]  # nearly all different, which no single label could be
    assert plan_columns(table(text=unlike("x"), label=many), [TEXT], [SEVERAL]).types["label"] == "choices"
    brackets = table(text=unlike("x"), label=["[spam]", "ham"])
    assert plan_columns(brackets, [TEXT], [SEVERAL]).types["label"] == "choice"
    assert plan_columns(given, [TEXT], [LABEL]).types["label"] == "choice"
    python = table(text=unlike("x"), label=["['a']", "['b', 'c']"])  # no JSON, and no labels either: it is refused, not learned
    with pytest.raises(DataError, match="begins like JSON and is not"):
        to_records(python, plan_columns(python, [TEXT], [SEVERAL]), Ledger())


def test_blanks_in_lists_are_no_labels() -> None:
    cells = ['["a", null, "nan", ""]', '["a", "b"]', "[null]", "[]", '["NULL ", NaN]', '["none"]']
    given = table(text=unlike("x"), label=cells).head(6)
    ledger = Ledger()
    records = to_records(given, plan_columns(given, [TEXT], [SEVERAL]), ledger)
    assert records.columns["label"] == [["a"], ["a", "b"], [], ["none"]]
    assert [(entry.row, entry.action, entry.reason) for entry in ledger.entries] == [
        (2, "repaired", "missing_in_label"),
        (4, "dropped", "missing_label"),
        (6, "dropped", "missing_label"),
    ]
    options = replace(TEXT, name="options", type="choices", flag="options", hints=("label",))  # an index counts these: all stay
    assert to_records(given, plan_columns(given, [options], []), Ledger()).columns["options"][0] == ["a", "null", "nan", ""]


def test_columns_that_others_are_made_from_are_used() -> None:
    names = ["id", "instruction", "input", "output"]
    table = with_messages(Table.of(names, [["1", "Add.", "1 and 2", "3"], ["2", "Add.", "2 and 2", "4"]], [2, 3], "a.csv"))
    plan = plan_columns(table, [Field("messages", "messages", "Conversation", "messages", ("messages",))], [])
    assert plan.fields == {"messages": ("messages",)} and plan.unused == ("id",)
    assert plan.why["messages"] == 'It was made from "instruction", "input", "output".'
