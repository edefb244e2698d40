"""A file that does not fit the task that was asked for: the error names the one that it does fit, and nothing else does."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import weitiao
from weitiao.errors import DataError

CONLL = "".join("EU B-ORG\nrejects O\nGerman B-MISC\ncall O\n\n" for _sentence in range(30))
SQUAD = {
    "context": "Paris is the capital of France.",
    "qas": [{"id": "1", "question": "Which?", "answers": [{"text": "Paris", "answer_start": 0}]}],
}


def lines(*rows: Mapping[str, Any] | Sequence[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows * 30)


def numbered(**texts: str) -> str:
    return "".join(json.dumps({name: text.format(at) for name, text in texts.items()}, ensure_ascii=False) + "\n" for at in range(30))


FILES = {
    "a.conll": (CONLL, ["token-classification"]),
    "a.txt": (CONLL, ["token-classification"]),
    "tokens.jsonl": (lines({"tokens": ["New", "York"], "ner_tags": ["B-LOC", "I-LOC"]}), ["token-classification"]),
    "spans.jsonl": (
        lines({"text": "Ann is here", "entities": [{"start": 0, "end": 3, "label": "PER"}]}),
        ["token-classification"],
    ),
    "squad.json": (json.dumps({"version": "1", "data": [{"title": "t", "paragraphs": [SQUAD] * 20}]}), ["question-answering"]),
    "chat.jsonl": (
        lines({"id": 1, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}),
        ["text-generation"],
    ),
    "alpaca.jsonl": (numbered(instruction="Say number {} in words.", output="It is {}, of course."), ["text-generation"]),
    "summaries.jsonl": (
        numbered(document="A long text about what happened in town number {} and why nobody knew.", summary="Town {} is in the news"),
        ["summarization"],
    ),
    "pairs.jsonl": (numbered(en="Hello my friend {}", zh="你好我的朋友{}号"), ["translation"]),
    "nested.jsonl": (lines({"translation": {"en": "Hello", "de": "Hallo"}}), ["translation"]),
    "scored.jsonl": (
        numbered(sentence1="Man number {} is walking", sentence2="Somebody {} walks there", score="{}.5"),
        ["feature-extraction", "regression"],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_task_that_a_file_fits_is_named(tmp_path: Path, name: str) -> None:
    content, meant = FILES[name]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        weitiao.check(str(path))
    flags = " or ".join(f"--task {task}" for task in meant)
    assert f"{name} looks like data for another task: type {flags}. For text-classification it will not do: " in str(caught.value)
    assert "--max-bad-rows" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (numbered(text="A text with number {}", remark="A remark with number {}", other="Another with {}"), {}),  # nobody's
        (CONLL, {"label": "tag"}),  # whoever names columns means this task
    ],
)
def test_no_task_is_named_where_none_is_meant(tmp_path: Path, content: str, settings: dict[str, str]) -> None:
    path = tmp_path / ("a.jsonl" if content.startswith("{") else "a.conll")
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        weitiao.check(str(path), **settings)
    assert "--task" not in str(caught.value)


def test_a_bad_row_is_no_other_task(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = numbered(question="What is {}?", context="Here is {} to be found.", answer="is {}")
    path.write_text(rows + json.dumps({"question": "Who?", "context": "Nobody.", "answer": "Ann"}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="row 31") as caught:
        weitiao.check(str(path), task="question-answering")
    assert "--max-bad-rows 1" in str(caught.value) and "another task" not in str(caught.value)


def test_labels_with_fractions_are_said_to_be_numbers(tmp_path: Path) -> None:
    path = tmp_path / "rated.csv"
    path.write_text("text,stars\n" + "".join(f"The room with number {at} was nice,{at % 9 / 2}\n" for at in range(90)), encoding="utf-8")
    found = {one["code"]: one["message"] for one in weitiao.check(str(path), label="stars")["check"]["findings"]}
    assert found["numeric_labels"].endswith("To learn the number itself, type --task regression.")
    found = {one["code"]: one["message"] for one in weitiao.check(str(path), label="stars", task="regression")["check"]["findings"]}
    assert "numeric_labels" not in found


def test_entities_are_counted_by_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text(CONLL, encoding="utf-8")
    marks = weitiao.check(str(path), task="ner", valid=0, test=0)["check"]["marks"]
    assert marks == [{"label": "MISC", "train": 30}, {"label": "ORG", "train": 30}]
    squad = tmp_path / "squad.json"  # an answer is of no kind
    squad.write_text(FILES["squad.json"][0], encoding="utf-8")
    assert weitiao.check(str(squad), task="question-answering", valid=0, test=0)["check"]["marks"] == []
