"""Pairs of texts: two columns named, or found by their names; joined only where a separator says so."""

import json

import pytest

from weitiao import tasks
from weitiao.data import loading
from weitiao.data.columns import ColumnPlan
from weitiao.data.text_pairs import has_pairs, inputs_of, texts_of
from weitiao.errors import DataError

ROWS = [(f"a man plays {i}", f"a much longer text about the {i} songs of that man", "yes" if i % 2 else "no") for i in range(20)]


def load(path, **settings):
    recipe = tasks.recipe({"valid": "0", "test": "0", **settings})
    return loading.load(str(path), recipe.data, tasks.get("text-classification").schema(recipe.task))


def table(path, *names):
    path.write_text("\n".join(json.dumps(dict(zip((*names, "label"), row, strict=True))) for row in ROWS), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "names",
    [("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("text_a", "text_b"), ("句子1", "句子2")],
)
def test_pairs_are_found_by_name(tmp_path, names):
    loaded = load(table(tmp_path / "a.jsonl", *names))
    assert loaded.plan.fields == {"text": (names[0],), "pair": (names[1],), "label": ("label",)}
    assert loaded.splits["train"][0] == {"text": ROWS[0][0], "pair": ROWS[0][1], "label": "no"}


def test_two_named_columns_are_a_pair_and_three_are_joined(tmp_path):
    path = table(tmp_path / "a.jsonl", "headline", "story")
    assert load(path, text="headline,story").splits["train"][0]["pair"] == ROWS[0][1]
    assert load(path, text="headline", pair="story").plan.fields["pair"] == ("story",)
    joined = load(path, text="headline,story", text_separator=" / ").splits["train"]
    assert joined[0]["text"] == f"{ROWS[0][0]} / {ROWS[0][1]}" and "pair" not in joined.columns


def test_three_columns_are_joined(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"a": a, "b": b, "c": "!", "label": label}) for a, b, label in ROWS), encoding="utf-8")
    assert load(path, text="a,b,c").splits["train"][0]["text"] == f"{ROWS[0][0]}\n{ROWS[0][1]}\n!"


def test_a_row_without_its_second_text_is_left_out_and_listed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"premise": a, "hypothesis": b, "label": y}) for a, b, y in [*ROWS, ("lonely", "", "no")]))
    loaded = load(path)
    assert len(loaded.splits["train"]) == 20 and loaded.ledger.counts() == {"dropped:empty_pair": 1}


def test_another_file_is_read_as_the_run_was(tmp_path):
    task = tasks.get("text-classification")
    plan = load(table(tmp_path / "a.jsonl", "premise", "hypothesis")).plan
    again = ColumnPlan.from_dict(plan.as_dict(), task.inputs, task.outputs)
    other = table(tmp_path / "b.jsonl", "left", "right")
    schema = task.schema(tasks.recipe({"text": "left,right"}).task)
    assert loading.read_records(str(other), again, schema)[0][0]["pair"] == ROWS[0][1]
    joined = load(other, text="left,right", text_separator=" ").plan
    assert loading.read_records(str(other), joined, schema)[0][0]["text"] == f"{ROWS[0][0]} {ROWS[0][1]}"
    with pytest.raises(DataError, match='no column "hypothesis"'):
        loading.read_records(str(table(tmp_path / "c.jsonl", "premise", "other")), again, task.schema(tasks.recipe({}).task))


def test_a_model_of_pairs_refuses_single_texts_and_the_other_way_round():
    assert texts_of({"text": "a", "pair": "b"}, True) == texts_of({"text": "a", "pair": "b"}, None) == ("a", "b")
    with pytest.raises(DataError, match="--pair"):
        texts_of({"text": "a", "pair": ""}, True)
    with pytest.raises(DataError, match="Leave out --pair"):
        texts_of({"text": "a", "pair": "b"}, False)


def test_baselines_read_pairs(tmp_path):
    pairs = load(table(tmp_path / "a.jsonl", "premise", "hypothesis")).splits["train"]
    assert has_pairs(pairs) and inputs_of(pairs)[0] == ROWS[0][:2]
