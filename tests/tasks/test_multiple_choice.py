"""Multiple choice: layouts of options, what an answer means, and the whole way on a tiny model."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

import weitiao
from tests.conftest import FILLER, SIZES, VOCABULARY, WORDS, make_model, write_csv
from weitiao import tasks
from weitiao.data.loading import load
from weitiao.engine.devices import Machine
from weitiao.engine.models import load_model
from weitiao.engine.objectives import objective_for
from weitiao.engine.prediction import predictor_for
from weitiao.errors import DataError, UsageError
from weitiao.tasks.multiple_choice import task


def _load(path: Path, **settings: Any) -> Any:
    recipe = tasks.recipe({"task": "multiple-choice", "valid": 0, "test": 0, **settings})
    return load(str(path), recipe.data, task.schema(recipe.task))


def _lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8")
    return path


def _prepared(answer: Any, options: Any = ("cold", "warm", "kind")) -> str:
    return task.prepare({"question": "How was it?", "context": None, "options": options, "answer": answer})["answer"]


@pytest.mark.parametrize("answer", ["1", "1.0", "B", "b", "(B)", "B.", "warm"])
def test_an_answer_is_an_index_a_letter_or_the_text(answer: str) -> None:
    assert _prepared(answer) == "1"


def test_what_an_answer_cannot_mean_is_an_error() -> None:
    with pytest.raises(DataError, match='"hot" is none of the 3 options: allowed are 0 to 2, A to C'):
        _prepared("hot")
    with pytest.raises(DataError, match="counts from 1, say --answer-form number"):
        _prepared("3")
    with pytest.raises(DataError, match=r"may mean option A or C\. Say how answers are written: --answer-form text or index"):
        _prepared("2", ["2", "3", "4"])
    assert _prepared("1", ["0", "1", "2"]) == "1"
    assert _prepared("A", ["B", "C", "D"]) == "0"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["cold"], "There are 1 options"),
        ([], "There are 0 options"),
        (["cold", "warm", "cold"], '"cold" stands there twice'),
        (["cold", "", "warm"], "Option B is empty"),
    ],
)
def test_options_must_be_two_and_different(options: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        _prepared("0", options)


def test_a_file_may_count_from_one(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv", [("Was it?", "yes", "no", "2"), ("Is it?", "no", "yes", "1")], ("sentence", "option1", "option2", "answer")
    )
    with pytest.raises(DataError, match=r"row 2.*--answer-form number"):
        _load(path)
    assert _load(path, answer_form="number").splits["train"].columns["answer"] == ["1", "0"]


LAYOUTS = [
    {"question": "How?", "options": ["cold", "warm"], "answer": "B"},
    {"question": "How?", "choices": {"text": ["cold", "warm"], "label": ["1", "2"]}, "answerKey": "2"},
    {"stem": "How?", "choices": [{"label": "X", "text": "cold"}, {"label": "Y", "text": "warm"}], "answerKey": "Y"},
    {"question": "How?", "A": "cold", "B": "warm", "C": None, "answer": "B"},
    {"ctx": "How?", "endings": ["cold", "warm"], "label": 1},
    {"question": "How?", "answerA": "cold", "answerB": "warm", "label": "warm"},
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: "-".join(layout))
def test_common_layouts_are_understood(layout: dict[str, Any], tmp_path: Path) -> None:
    other = {**layout, next(iter(layout)): "Was it?"}
    train = _load(_lines(tmp_path / "a.jsonl", layout, other)).splits["train"]
    assert train.columns["question"] == ["How?", "Was it?"]
    assert train.columns["options"] == [["cold", "warm"]] * 2
    assert train.columns["answer"] == ["1", "1"]


def test_swag_and_reading_comprehension(tmp_path: Path) -> None:
    swag = {
        "sent1": "It rains.",
        "sent2": "She",
        "ending0": "runs.",
        "ending1": "sings.",
        "ending2": "is dry.",
        "ending3": "reads.",
        "label": 0,
    }
    train = _load(_lines(tmp_path / "swag.jsonl", swag)).splits["train"]
    assert train[0] == {"question": "She", "context": "It rains.", "options": ["runs.", "sings.", "is dry.", "reads."], "answer": "0"}
    race = {"article": "It rains all day.", "question": "What is it like?", "options": ["wet", "dry"], "answer": "A"}
    assert _load(_lines(tmp_path / "race.jsonl", race)).splits["train"][0]["context"] == "It rains all day."


def test_named_columns_and_rows_with_fewer_options(tmp_path: Path) -> None:
    header = ("q", "first", "second", "third", "right")
    path = write_csv(tmp_path / "a.csv", [("How?", "cold", "warm", "", "warm"), ("Was it?", "cold", "warm", "kind", "2")], header)
    named = {"question": "q", "options": "first,second,third", "answer": "right"}
    train = _load(path, **named).splits["train"]
    assert train.columns["options"] == [["cold", "warm"], ["cold", "warm", "kind"]]
    assert train.columns["answer"] == ["1", "2"]
    path = write_csv(tmp_path / "b.csv", [("How?", "cold", "", "kind", "1")], header)
    with pytest.raises(DataError, match='row 2: the option "second" is empty'):
        _load(path, **named)


def test_answers_that_are_all_different_are_still_found(tmp_path: Path) -> None:
    rows = [
        {"question": f"Which number is it, {n}?", "options": [f"it is {n}", f"it is {n + 1}"], "answer": f"it is {n}"} for n in range(40)
    ]
    assert set(_load(_lines(tmp_path / "a.jsonl", *rows)).splits["train"].columns["answer"]) == {"0"}


def test_the_data_check_takes_no_index_for_a_class(tmp_path: Path) -> None:
    """An index means another option in every row: that all are 0 says nothing of what there is to tell apart."""
    asked = [{"question": f"How was day {n}?", "options": ["cold", f"warm {n}"], "answer": 0} for n in range(30)]
    found = weitiao.check(str(_lines(tmp_path / "q.jsonl", *asked)), task="multiple-choice", valid=0, test=0)["check"]
    assert found["labels"] == []
    assert {finding["code"] for finding in found["findings"]}.isdisjoint({"one_class", "class_imbalance", "conflicting_labels"})


def test_bad_rows_are_named_and_counted(tmp_path: Path) -> None:
    good = {"question": "How?", "options": ["cold", "warm"], "answer": "A"}
    path = _lines(tmp_path / "a.jsonl", good, {**good, "answer": "E"}, {**good, "options": ["cold", "cold"]}, {**good, "options": ["cold"]})
    with pytest.raises(DataError, match="row 2"):
        _load(path)
    loaded = _load(path, max_bad_rows=3)
    assert loaded.splits["train"].rows.tolist() == [1]


def _questions(rows: int) -> list[dict[str, Any]]:
    """The right option is the one word of the better kind; rows have two to five options."""
    draw = random.Random(5)
    made = []
    for _ in range(rows):
        options = draw.sample(WORDS["bad"], draw.randint(1, 4)) + draw.sample(WORDS["good"], 1)
        right = options[-1]
        draw.shuffle(options)
        context = " ".join(draw.choices(FILLER, k=draw.randint(3, 12))) if draw.random() < 0.5 else None
        made.append({"question": " ".join(draw.choices(FILLER, k=4)), "context": context, "options": options, "answer": right})
    return made


def test_it_learns_by_heart_comes_back_and_answers_alone_as_among_others(tmp_path: Path) -> None:
    rows = _questions(16)
    data = str(_lines(tmp_path / "mc.jsonl", *rows))
    model = make_model(tmp_path / "tiny", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    settings = {"valid": data, "test": data, "epochs": 25, "batch_size": 4, "lr": 3e-3, "max_length": 32, "threads": 1}
    run = weitiao.train(data, task="multiple-choice", model=str(model), out=str(tmp_path / "run"), **settings)
    assert run.metrics["accuracy"] == 1.0
    assert run.record["training"]["path"].startswith("padding-free")
    assert set(run.record["evaluation"]["baselines"]) == {"random", "tfidf_similarity"}
    asked = [{name: row[name] for name in ("question", "context", "options")} for row in rows]
    together = run.predict(asked)
    assert [answer["label"] for answer in together] == [row["answer"] for row in rows]
    assert together == weitiao.load(tmp_path / "run").predict(asked)
    as_model = weitiao.load(tmp_path / "run" / "model", task="multiple-choice").predict(asked)
    for row, answer, alone, plain in zip(asked, together, (run.predict([one])[0] for one in asked), as_model, strict=True):
        assert answer["label"] == row["options"][answer["index"]]
        assert answer["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)
        assert answer["probabilities"] == pytest.approx(plain["probabilities"], abs=1e-5)
        assert sum(answer["probabilities"].values()) == pytest.approx(1.0)
    assert run.predict(["so very"], options=["cold", "warm"])[0]["label"] == "warm"
    assert weitiao.load(tmp_path / "run").evaluate(data)["metrics"]["accuracy"] == 1.0
    run.predict_file(data, tmp_path / "answers.jsonl")
    assert json.loads((tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()[0])["label"] == rows[0]["answer"]
    with pytest.raises(UsageError, match="at least two"):
        run.predict(["so very"], options=["cold"])


def test_plain_transformers_gives_the_same_probabilities(tmp_path: Path) -> None:
    import transformers

    torch.manual_seed(1)
    make_model(tmp_path / "tiny")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "tiny")
    transformers.AutoModelForMultipleChoice.from_config(config).eval().save_pretrained(tmp_path / "tiny")
    loaded = load_model(tmp_path / "tiny", task.head({}).classes, task.model_config({}), Machine("cpu", "fp32", 1))
    assert loaded.packing is not None
    question, options = "we was so very", ["cold day", "warm", "it is my box"]
    answer = next(predictor_for(task, {}, loaded, 32).predict([task.prepare({"question": question, "context": None, "options": options})]))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "tiny")
    plain = transformers.AutoModelForMultipleChoice.from_pretrained(tmp_path / "tiny").eval()
    inputs = tokenizer([question] * 3, options, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = plain(**{name: tensor[None] for name, tensor in inputs.items()}).logits[0].softmax(0)
    assert list(answer["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_family_without_a_head_that_chooses_uses_a_classifier(tmp_path: Path) -> None:
    """GPT-2 has no head for multiple choice in transformers' lists of today; a classifier with one logit is the same thing."""
    import transformers

    make_model(tmp_path / "tiny")
    config = transformers.GPT2Config(
        vocab_size=len(VOCABULARY),
        n_embd=SIZES["hidden_size"],
        n_layer=1,
        n_head=4,
        n_positions=64,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )
    torch.manual_seed(0)
    transformers.GPT2Model(config).save_pretrained(tmp_path / "tiny")
    loaded = load_model(tmp_path / "tiny", task.head({}).classes, task.model_config({}), Machine("cpu", "fp32", 1))
    assert type(loaded.network).__name__ == "GPT2ForSequenceClassification"
    record = task.prepare({"question": "so", "context": "it was", "options": ["cold", "very warm"], "answer": "0"})
    features = task.encode(record, loaded.processor, {}, max_length=32, for_training=True)
    objective = objective_for("choice", {})
    batch = objective.collate([features], loaded.padding)
    assert objective.loss(loaded.forward(batch), batch).item() > 0


def test_a_cut_context_is_counted_once(tmp_path: Path) -> None:
    loaded = load_model(make_model(tmp_path / "tiny"), task.head({}).classes, task.model_config({}), Machine("cpu", "fp32", 1))
    record = {"question": "so", "context": "it was very " * 10, "options": ["cold", "warm"], "answer": "0"}
    features = task.encode(record, loaded.processor, {}, max_length=16, for_training=False)
    assert [len(one) for one in features] == [16, 16]
    assert sum(one.cut for one in features) == 30 + 2 + 3 - 16  # the context's tokens, once
