"""Question answering: every notation of an answer, windows and offsets, answers that are not there, and the whole way on a tiny model."""

import json
import random
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import weitiao
from tests.conftest import FILLER, make_model
from weitiao import tasks
from weitiao.data.loading import load
from weitiao.engine.models import load_tokenizer, processor_for
from weitiao.errors import DataError, UsageError
from weitiao.observer import Observer
from weitiao.processing import Processor
from weitiao.tasks.base import Spec
from weitiao.tasks.question_answering import task

CONTEXT = "The old bridge was opened in 1894. A new bridge was opened in 1951."
SPEC = {"doc_stride": 4, "max_answer_length": 5, "top_k": 1, "unanswerable": False, "null_threshold": None}


@pytest.fixture
def processor(tmp_path: Path) -> Processor:
    return processor_for(load_tokenizer(make_model(tmp_path / "tiny")))


def _prepared(answers: Any, context: str = CONTEXT) -> dict[str, Any]:
    return task.prepare({"question": "When?", "context": context, "answers": answers})


@pytest.mark.parametrize(
    "answers",
    [
        [{"text": "1894", "answer_start": 29}],
        {"text": ["1894"], "answer_start": [29]},
        {"text": "1894", "answer_start": 29},
        [{"text": "1894", "start": 29}],
        {"text": [" 1894 "], "answer_start": [28]},
        ["1894"],
        "1894",
    ],
)
def test_every_notation_gives_the_same_span(answers: Any) -> None:
    prepared = _prepared(answers)
    assert prepared["answers"] == [{"text": "1894", "start": 29}]
    assert "repaired" not in prepared


def test_no_answer_has_many_spellings() -> None:
    for nothing in ([], {"text": [], "answer_start": []}, "", [""]):
        assert _prepared(nothing)["answers"] == []
    assert _prepared(None)["answers"] is None


def test_a_wrong_start_moves_to_the_nearest_place_and_is_said() -> None:
    prepared = _prepared({"text": ["bridge"], "answer_start": [40]})
    assert prepared["answers"] == [{"text": "bridge", "start": 41}]
    assert prepared["repaired"] == {"answer_start": '"bridge" starts at 41.'}


def test_a_text_without_start_is_rather_a_whole_word() -> None:
    assert _prepared("art", "The party saw art.")["answers"] == [{"text": "art", "start": 14}]
    assert _prepared("art", "The party.")["answers"] == [{"text": "art", "start": 5}]


def test_one_of_several_right_answers_may_be_worded_otherwise() -> None:
    assert _prepared(["the year 1894", "1894"])["answers"] == [{"text": "the year 1894", "start": None}, {"text": "1894", "start": 29}]


@pytest.mark.parametrize(("answers", "said"), [("1895", 'not found in the context: "1895"'), ([3], "The answers are written")])
def test_an_answer_that_is_not_there_is_an_error(answers: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        _prepared(answers)


def test_empty_questions_and_contexts_are_errors() -> None:
    with pytest.raises(DataError, match='"context" is empty'):
        task.prepare({"question": "When?", "context": " ", "answers": None})


def _load(path: Path, **settings: Any) -> Any:
    recipe = tasks.recipe({"task": "question-answering", "valid": 0, "test": 0, **settings})
    return load(str(path), recipe.data, task.schema(recipe.task))


def test_questions_about_one_text_stay_on_one_side_of_a_split(tmp_path: Path) -> None:
    path = tmp_path / "qa.jsonl"
    rows = [
        {"question": f"{word} {context}?", "context": f"{context} {CONTEXT}", "answers": ["1894"]}
        for context in range(30)
        for word in ("When", "What", "Which year")
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    splits = _load(path, valid=0.2, test=0.2).splits
    texts = {name: set(records.columns["context"]) for name, records in splits.items()}
    assert {name: len(records) for name, records in splits.items()} == {"train": 54, "validation": 18, "test": 18}
    assert not texts["train"] & texts["test"] and not texts["train"] & texts["validation"] and not texts["validation"] & texts["test"]


def test_questions_about_one_text_are_no_duplicates(tmp_path: Path) -> None:
    draw = random.Random(0)
    asked = (
        "Who built the bridge?",
        "When was it opened to the public?",
        "How long is the river there?",
        "Why did nobody like the colour?",
    )
    contexts = [" ".join(draw.choice(FILLER) + str(draw.randint(0, 999)) for _word in range(200)) + f" The end {at}." for at in range(10)]
    rows = [{"question": question, "context": context, "answers": "The end"} for context in contexts for question in asked]
    data = _write(tmp_path / "qa.jsonl", rows)
    codes = {finding["code"] for finding in weitiao.check(str(data), task="qa", valid="0", test="0")["check"]["findings"]}
    assert not codes & {"near_duplicates", "exact_duplicates"}
    # One that is asked twice about one text, in nearly the same words, still is.
    data = _write(tmp_path / "twice.jsonl", [*rows, {**rows[1], "question": "When was it opened to the public ?"}])
    found = {finding["code"]: finding for finding in weitiao.check(str(data), task="qa", valid="0", test="0")["check"]["findings"]}
    assert found["near_duplicates"]["count"] == 1
    # One question may well be asked of many documents that begin alike.
    asked_of_all = "What is the total amount due on this invoice?"
    rows = [{"question": asked_of_all, "context": f"Invoice number {context}", "answers": "The end"} for context in contexts]
    data = _write(tmp_path / "invoices.jsonl", rows)
    codes = {finding["code"] for finding in weitiao.check(str(data), task="qa", valid="0", test="0")["check"]["findings"]}
    assert "near_duplicates" not in codes


def test_squad_files_of_both_versions(tmp_path: Path) -> None:
    questions = [
        {
            "id": "a",
            "question": "When was the old bridge opened?",
            "answers": [{"text": "1894", "answer_start": 29}],
            "is_impossible": False,
        },
        {
            "id": "b",
            "question": "Who opened it?",
            "answers": [],
            "plausible_answers": [{"text": "A", "answer_start": 35}],
            "is_impossible": True,
        },
    ]
    paragraphs = [{"context": CONTEXT, "qas": questions}, {"context": "Grass is green.", "qas": [{**questions[0], "answers": ["green"]}]}]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "v2.0", "data": [{"title": "Bridges", "paragraphs": paragraphs}]}), encoding="utf-8")
    train = _load(path).splits["train"]
    assert train.rows.tolist() == [1, 2, 3]
    assert train.columns["answers"] == [[{"text": "1894", "start": 29}], [], [{"text": "green", "start": 9}]]
    assert task.learn(train, tasks.settings_of(task)())["unanswerable"] is True


def test_a_bad_question_is_named_by_its_number(tmp_path: Path) -> None:
    good = {"question": "When?", "answers": [{"text": "1894", "answer_start": 29}]}
    bad = {"question": "When?", "answers": [{"text": "1984", "answer_start": 29}]}
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": CONTEXT, "qas": [good, bad]}]}]}), encoding="utf-8")
    with pytest.raises(DataError, match=r'row 2.*not found in the context: "1984"'):
        _load(path)
    loaded = _load(path, max_bad_rows=1)
    assert len(loaded.splits["train"]) == 1
    path.write_text(json.dumps({"data": [{"paragraphs": [{"qas": [good]}]}]}), encoding="utf-8")
    with pytest.raises(DataError, match=r"squad\.json: article 1, paragraph 1: .*weitiao check") as caught:
        _load(path)
    assert (caught.value.file, caught.value.row) == (str(path), 1)
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": CONTEXT, "qas": [good]}]}, {"paragraphs": "?"}]}), encoding="utf-8")
    with pytest.raises(DataError, match=r"squad\.json: article 2 has no list"):
        _load(path)


def test_tables_with_answers_and_starts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    second = CONTEXT.index("bridge", 20)
    rows = ["question,context,answer,answer_start", f'What?,"{CONTEXT}",bridge,{second}', f'Who?,"{CONTEXT}",,', f'When?,"{CONTEXT}",1894,']
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    loaded = _load(path)
    assert loaded.plan.fields["answers"] == ("answer",)
    assert loaded.splits["train"].columns["answers"] == [
        [{"text": "bridge", "start": second}],
        None,
        [{"text": "1894", "start": 29}],
    ]
    lines = [{"q": "What?", "text": CONTEXT, "answers": {"text": ["bridge"], "answer_start": [0]}}]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    loaded = _load(path)
    assert loaded.splits["train"].columns["answers"] == [[{"text": "bridge", "start": 8}]]
    assert loaded.ledger.counts() == {"repaired:answer_start": 1}


def test_no_answers_anywhere_cannot_be_learned(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'question,context\nWhat?,"{CONTEXT}"\n', encoding="utf-8")
    train = _load(path).splits["train"]
    with pytest.raises(DataError, match="no row has an answer"):
        task.learn(train, tasks.settings_of(task)())
    with pytest.raises(DataError, match="no column holds the answers"):
        task.score([], train, SPEC)


def test_targets_point_at_the_answer_in_every_window_that_holds_it(processor: Processor) -> None:
    context = " ".join(random.Random(1).choices(FILLER, k=60)) + " sunny broken ! " + " ".join(random.Random(2).choices(FILLER, k=20))
    start = context.index("sunny")
    record = {"question": "so  very ?", "context": context, "answers": [{"text": "sunny broken", "start": start}]}
    plain = task.encode(record, processor, SPEC, max_length=24, for_training=False)
    taught = task.encode(record, processor, SPEC, max_length=24, for_training=True)
    assert len(plain) == len(taught) > 4
    held = 0
    for window, training in zip(plain, taught, strict=True):
        first, last = training.target
        covered = [window.offsets[at] for at in range(len(window)) if window.parts[at] == 1]
        if covered[0][0] <= start and covered[-1][1] >= start + len("sunny broken"):
            assert context[window.offsets[first][0] : window.offsets[last][1]] == "sunny broken"
            held += 1
        else:
            assert (first, last) == (0, 0)
    assert held >= 1


def test_of_several_right_answers_one_that_a_window_holds_is_learned(processor: Processor) -> None:
    context = " ".join(["the day"] * 30) + " sunny"
    answers = [{"text": context, "start": 0}, {"text": "sunny", "start": len(context) - 5}]
    record = {"question": "what ?", "context": context, "answers": answers}
    plain = task.encode(record, processor, SPEC, max_length=24, for_training=False)
    taught = task.encode(record, processor, SPEC, max_length=24, for_training=True)
    (first, last), nulls = taught[-1].target, [window.target for window in taught[:-1]]
    assert context[plain[-1].offsets[first][0] : plain[-1].offsets[last][1]] == "sunny"
    assert set(nulls) == {(0, 0)}


def test_an_answer_that_no_window_holds_does_not_teach_that_there_is_none(tmp_path: Path) -> None:
    class Listener(Observer):
        warnings: ClassVar[list[str]] = []

        def warn(self, text: str) -> None:
            self.warnings.append(text)

    rows = _questions(8, length=40)
    rows[2]["answers"] = [{"text": rows[2]["context"], "answer_start": 0}]  # longer than a window
    words = rows[5]["context"].split()
    rows[5]["answers"] = [{"text": " ".join(words[:6]), "answer_start": 0}]  # longer than is ever given
    data = str(_write(tmp_path / "qa.jsonl", rows))
    told = {"task": "question-answering", "model": str(make_model(tmp_path / "tiny")), "valid": 0, "test": 0, "threads": 1}
    settings: dict[str, Any] = {**told, "epochs": 1, "max_length": 32, "doc_stride": 8, "max_answer_length": 4}
    run = weitiao.train(data, out=str(tmp_path / "run"), observer=Listener(), **settings)
    assert run.record["data"]["ledger"] == {"dropped:answer_in_no_window": 1, "kept:long_answer": 1}
    lines = {entry["reason"]: entry for entry in run.folder.ledger()}
    assert lines["answer_in_no_window"]["row"] == 3 and "no window of 32 tokens" in lines["answer_in_no_window"]["detail"]
    assert lines["long_answer"]["row"] == 6 and "6 tokens long" in lines["long_answer"]["detail"]
    assert any("1 rows: 3." in warning and "--max-length" in warning for warning in Listener.warnings)
    rows = [rows[2]]
    with pytest.raises(DataError, match="Not one training row"):
        weitiao.train(str(_write(tmp_path / "one.jsonl", rows)), out=str(tmp_path / "none"), **settings)


def _outputs(windows: Any, context: str, text: str, null: float = 0.0) -> list[dict[str, np.ndarray]]:
    """Logits that point at a text wherever a window holds it."""
    outputs = []
    for window in windows:
        starts, ends = np.zeros(len(window), np.float32), np.zeros(len(window), np.float32)
        starts[0] = ends[0] = null / 2
        for at, part in enumerate(window.parts):
            if part == 1 and window.offsets[at][0] == context.index(text):
                starts[at] = 4.0
            if part == 1 and window.offsets[at][1] == context.index(text) + len(text):
                ends[at] = 4.0
        outputs.append({"start_logits": starts, "end_logits": ends})
    return outputs


def test_answers_are_characters_of_the_raw_context(processor: Processor) -> None:
    context = "It  was\ta Sunny, very KIND day; " * 8 + "so a Bright box."
    record = {"question": "what ?", "context": context}
    windows = task.encode(record, processor, SPEC, max_length=20, for_training=False)
    answer = task.decode(record, windows, _outputs(windows, context, "Bright box"), {**SPEC, "top_k": 3}, processor)
    assert answer["answer"] == "Bright box" == context[answer["start"] : answer["end"]]
    assert len(answer["answers"]) == 3
    assert len({one["answer"] for one in answer["answers"]}) == 3
    assert 0 < answer["answers"][1]["score"] <= answer["score"] < 1
    # No answer is longer than it may be: "very KIND day ; It was" would be.
    assert all(len(one["answer"].replace(",", " ,").replace(";", " ;").split()) <= 5 for one in answer["answers"])


def test_no_answer_where_its_odds_pass_the_threshold(processor: Processor) -> None:
    record = {"question": "what ?", "context": "so a bright box"}
    windows = task.encode(record, processor, SPEC, max_length=20, for_training=False)
    spec: Spec = {**SPEC, "unanswerable": True, "top_k": 2}
    none = task.decode(record, windows, _outputs(windows, record["context"], "bright box", null=9.0), spec, processor)
    assert (none["answer"], none["start"], none["end"]) == ("", None, None)
    assert none["null_odds"] == pytest.approx(1.0)
    assert [one["answer"] for one in none["answers"]] == ["", "bright box"]
    assert none["best_span"] == "bright box"
    some = task.decode(
        record, windows, _outputs(windows, record["context"], "bright box", null=9.0), {**spec, "null_threshold": 1.5}, processor
    )
    assert [one["answer"] for one in some["answers"]] == ["bright box", ""]
    assert set(task.flat(some)) == set(task.columns(spec))


def test_the_threshold_is_tuned_on_validation() -> None:
    odds = [-3.0, -1.0, 0.5, 1.0, 2.5, 4.0]
    answers = [["a"], ["a"], ["a"], [], [], []]
    predictions = [{"null_odds": value, "best_span": "a"} for value in odds]
    from weitiao.data.records import Records

    spans = [[{"text": text, "start": 0} for text in texts] for texts in answers]
    records = Records({"question": ["q"] * 6, "context": ["a"] * 6, "answers": spans}, np.arange(6))
    spec = {**SPEC, "unanswerable": True}
    assert task.calibrate(predictions, records, spec)["null_threshold"] == pytest.approx(0.75)
    assert task.calibrate(predictions, records, {**spec, "null_threshold": 2.0})["null_threshold"] == 2.0
    assert task.calibrate(predictions, records, SPEC) == SPEC


def test_settings_of_a_finished_run_can_be_changed() -> None:
    assert task.adjusted({**SPEC, "top_k": 5}, {"top_k": 1, "null_threshold": "auto"}) == SPEC  # a default that was typed
    assert task.adjusted(SPEC, {"top_k": 3, "null_threshold": "0.5"}) == {**SPEC, "top_k": 3, "unanswerable": True, "null_threshold": 0.5}
    with pytest.raises(UsageError, match="--null-threshold is much"):
        task.adjusted(SPEC, {"null_threshold": "much"})


def _questions(rows: int, *, length: int, unanswerable: bool = False) -> list[dict[str, Any]]:
    """The answer is the one digit of the context; the last row's stands at its very end."""
    draw = random.Random(3)
    made = []
    for row in range(rows):
        words = draw.choices(FILLER, k=length)
        at = length - 1 if row == rows - 1 else draw.randrange(length)
        if not (unanswerable and row % 3 == 0):
            words[at] = str(row % 10)
        text = " ".join(words)
        answers = [] if unanswerable and row % 3 == 0 else [{"text": str(row % 10), "answer_start": text.index(str(row % 10))}]
        made.append({"question": "my box ?", "context": text, "answers": answers})
    return made


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return path


def test_it_learns_by_heart_comes_back_and_finds_answers_in_the_last_window(tmp_path: Path) -> None:
    rows = _questions(16, length=90)
    data = str(_write(tmp_path / "qa.jsonl", rows))
    run = weitiao.train(
        data,
        task="question-answering",
        model=str(make_model(tmp_path / "tiny", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)),
        out=str(tmp_path / "run"),
        valid=data,
        test=data,
        epochs=40,
        batch_size=8,
        lr=5e-3,
        max_length=40,
        doc_stride=8,
        threads=1,
    )
    assert run.metrics["f1"] == run.metrics["exact_match"] == 1.0
    asked = [{"question": row["question"], "context": row["context"]} for row in rows]
    answers = run.predict(asked)
    assert [answer["answer"] for answer in answers] == [row["answers"][0]["text"] for row in rows]
    assert answers[-1]["end"] == len(rows[-1]["context"])  # the last window
    again = weitiao.load(tmp_path / "run").predict(asked)
    alone = [run.predict([one])[0] for one in asked]
    for first, second, third in zip(answers, again, alone, strict=True):
        assert first == second
        assert (first["answer"], first["start"]) == (third["answer"], third["start"])
        assert first["score"] == pytest.approx(third["score"], abs=1e-5)
    ranked = weitiao.load(tmp_path / "run", top_k=3).predict(asked[:1])[0]["answers"]
    assert len(ranked) == 3
    as_model = weitiao.load(tmp_path / "run" / "model", task="qa", max_length=40, doc_stride=8)
    assert [answer["answer"] for answer in as_model.predict(asked)] == [answer["answer"] for answer in answers]


def test_questions_without_answer_are_learned_too(tmp_path: Path) -> None:
    data = str(_write(tmp_path / "qa.jsonl", _questions(18, length=24, unanswerable=True)))
    model = make_model(tmp_path / "tiny", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    settings = {"valid": data, "test": data, "epochs": 30, "batch_size": 6, "lr": 5e-3, "max_length": 32, "doc_stride": 0, "threads": 1}
    run = weitiao.train(data, task="question-answering", model=str(model), out=str(tmp_path / "run"), **settings)
    assert run.metrics["unanswerable_accuracy"] == run.metrics["answerable_f1"] == 1.0
    assert isinstance(run.record["spec"]["null_threshold"], float)
    assert run.record["evaluation"]["baselines"]["no_answer"]["metrics"]["f1"] == pytest.approx(1 / 3)
    out = tmp_path / "answers.csv"
    run.predict_file(data, out)
    assert "null_odds" in out.read_text(encoding="utf-8").splitlines()[0]
