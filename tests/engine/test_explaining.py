"""What ``explain`` tells of an answer really happened: the answer is that of ``predict``, with the numbers and the words it hangs on."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.conftest import WORDS, sentences, write_csv
from tests.engine.explained_models import CASES, Case, loaded
from weitiao import tasks
from weitiao.engine.explaining import plain
from weitiao.engine.leave_one_out import MOST, grouped, leave_one_out, words_of
from weitiao.errors import UsageError
from weitiao.labels import softmax

Explained = tuple[Any, Any]  # the facts, and what predict answers


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Explained]:
    """The facts of a case and its prediction, made once."""
    made: dict[str, Explained] = {}

    def explain(name: str) -> Explained:
        if name not in made:
            case: Case = CASES[name]
            model = loaded(case, tmp_path_factory.mktemp("explained") / "model")
            made[name] = (model.explain(case.value, **case.given), plain(model.predict([case.value], **case.given)[0]))
        return made[name]

    return explain


@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_that_of_predict_and_all_is_plain_json(explained: Any, name: str) -> None:
    facts, predicted = explained(name)
    assert facts["decode"]["answer"] == predicted
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


@pytest.mark.parametrize("name", CASES)
def test_every_row_of_the_batch_is_as_wide_as_what_the_network_got(explained: Any, name: str) -> None:
    facts, _predicted = explained(name)
    rows, forward = facts["encode"]["rows"], facts["forward"]
    shapes = {entry["name"]: entry["shape"] for entry in forward["inputs"] if "shape" in entry}
    assert len(forward["rows"]) == len(rows)
    assert {len(row["tokens"]) for row in rows} == {max(row["length"] for row in rows)}
    for row in rows:
        assert [token["kind"] == "padding" for token in row["tokens"]] == [False] * row["length"] + [True] * row["padding"]
        assert all(token["attention_mask"] == (token["kind"] != "padding") for token in row["tokens"])
    if "input_ids" in shapes:  # a model of two parts hands its encoder's states on instead
        assert shapes["input_ids"][0] == len(rows)
        assert shapes["input_ids"][-1] == len(rows[0]["tokens"])
    assert [entry["name"] for entry in forward["outputs"]][:1] != []


def test_one_label(explained: Any) -> None:
    facts, predicted = explained("one label")
    tokens = facts["encode"]["rows"][0]["tokens"]
    assert [token["token"] for token in tokens][:4] == ["[CLS]", "the", "room", "was"]
    assert tokens[0]["kind"] == tokens[-1]["kind"] == "special"
    assert [token["token"] for token in tokens if token["kind"] == "unknown"]  # "isn" is in no vocabulary of ours
    assert tokens[1]["characters"] == [0, 3]
    assert {"attention_mask", "token_type_ids"} <= tokens[0].keys()
    (row,) = facts["forward"]["rows"]
    np.testing.assert_allclose(row["probabilities"], list(predicted["probabilities"].values()))
    np.testing.assert_allclose(row["probabilities"], softmax(np.array(row["logits"])))
    assert facts["decode"]["labels"] == [{"id": 0, "label": "bad"}, {"id": 1, "label": "good"}, {"id": 2, "label": "fine"}]
    assert {"name": "logits", "shape": [1, 3], "dtype": "float32"} in facts["forward"]["outputs"]
    assert facts["forward"]["calls"] == 1


def test_several_labels_are_squashed_one_by_one(explained: Any) -> None:
    facts, predicted = explained("several labels")
    assert facts["forward"]["squash"] == "sigmoid"
    np.testing.assert_allclose(facts["forward"]["rows"][0]["probabilities"], list(predicted["probabilities"].values()))
    assert predicted["labels"]
    assert [measure["name"] for measure in facts["influence"]["measures"]] == predicted["labels"][:3]


def test_a_pair_stands_in_one_row_and_loses_words_of_both_texts(explained: Any) -> None:
    facts, _predicted = explained("pair")
    tokens = facts["encode"]["rows"][0]["tokens"]
    assert {token["token_type_ids"] for token in tokens if token["part"] == 1} == {1}
    assert {word["field"] for word in facts["influence"]["words"]} == {"text", "pair"}


def test_a_number_has_no_probability(explained: Any) -> None:
    facts, predicted = explained("number")
    assert facts["forward"]["rows"][0]["probabilities"] is None
    assert facts["influence"]["measures"] == [{"name": "value", "kind": "number", "value": predicted["value"]}]


def test_entities_have_logits_for_every_token(explained: Any) -> None:
    facts, _predicted = explained("entities")
    (row,), (encoded,) = facts["forward"]["rows"], facts["encode"]["rows"]
    assert (row["kind"], np.shape(row["logits"])) == ("tokens", (encoded["length"], 3))
    assert facts["influence"] is None


def test_a_long_context_becomes_windows_and_the_best_ends_give_the_answer(explained: Any) -> None:
    facts, predicted = explained("question")
    rows = facts["forward"]["rows"]
    assert len(rows) > 1
    found = set()
    for row, encoded in zip(rows, facts["encode"]["rows"], strict=True):
        assert row["kind"] == "span"
        assert len(row["start_logits"]) == encoded["length"] <= 16
        inside = [at for at, token in enumerate(encoded["tokens"]) if token["part"] == 1]
        spans = [(row["start_logits"][a] + row["end_logits"][b], a, b) for a in inside for b in inside if b >= a]
        score, first, last = max(spans)
        found.add((score, encoded["tokens"][first]["characters"][0], encoded["tokens"][last]["characters"][1]))
    assert max(found)[1:] == (predicted["start"], predicted["end"])
    marked = [(row["answer"], encoded["tokens"]) for row, encoded in zip(rows, facts["encode"]["rows"], strict=True) if row["answer"]]
    assert marked
    for (first, last), tokens in marked:
        assert (tokens[first]["characters"][0], tokens[last]["characters"][1]) == (predicted["start"], predicted["end"])


def test_options_are_rows_that_compete(explained: Any) -> None:
    facts, predicted = explained("choice")
    assert facts["forward"]["squash"] == "rows"
    np.testing.assert_allclose(facts["forward"]["over_rows"], list(predicted["probabilities"].values()))
    assert {row["padding"] for row in facts["encode"]["rows"]} != {0}


def test_masks_have_their_likeliest_tokens(explained: Any) -> None:
    facts, predicted = explained("masks")
    masks = facts["forward"]["rows"][0]["masks"]
    assert [[one["token"] for one in mask] for mask in masks] == [[one["token"] for one in mask] for mask in predicted["masks"]]
    assert [len(mask) for mask in masks] == [3, 3]


def test_vectors_are_compared_with_the_first(explained: Any) -> None:
    facts, predicted = explained("two vectors")
    assert facts["forward"]["cosines"] == pytest.approx([1.0, predicted["similarity"]], abs=1e-6)
    assert facts["influence"]["measures"][0]["name"] == "similarity"
    assert explained("vector")[0]["influence"] is None
    assert explained("keywords")[0]["influence"] is None


@pytest.mark.parametrize("name", ["decoder", "encoder and decoder"])
def test_greedy_writing_takes_the_first_candidate_of_every_step(explained: Any, name: str) -> None:
    facts, predicted = explained(name)
    (row,) = facts["forward"]["rows"]
    steps = row["steps"]
    assert facts["forward"]["calls"] == len(steps) <= 6
    assert all(step["id"] == step["candidates"][0]["id"] and step["rank"] == 1 and len(step["candidates"]) == 5 for step in steps)
    for step in steps:
        shares = [one["probability"] for one in step["candidates"]]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) <= 1.0
    assert predicted["text"] or all(not step["text"].strip() for step in steps)
    assert facts["influence"] is None


def test_beams_are_told_by_what_they_wrote(explained: Any) -> None:
    facts, _predicted = explained("beams")
    assert all(step["probability"] > 0 and step["rank"] >= 1 for step in facts["forward"]["rows"][0]["steps"])


def test_candidates_are_those_of_transformers(tmp_path: Path) -> None:
    case = CASES["decoder"]
    model = loaded(case, tmp_path / "model")
    steps = model.explain(case.value)["forward"]["rows"][0]["steps"]
    backend: Any = model.predictor().backend
    (features,) = model.predictor().encode({"messages": [{"role": "user", "content": case.value}]})
    batch = backend._collate([[features]])
    with backend.loaded.packing.paused():
        theirs = backend.loaded.network.generate(
            **batch.inputs, max_new_tokens=6, do_sample=False, output_logits=True, return_dict_in_generate=True, eos_token_id=None
        )
    for step, logits in zip(steps, theirs.logits, strict=False):
        shares = logits[0].softmax(dim=-1)
        assert step["id"] == int(shares.argmax())
        assert step["probability"] == pytest.approx(float(shares.max()), abs=1e-5)


def test_a_picture_shows_its_shape(explained: Any) -> None:
    facts, _predicted = explained("picture")
    assert facts["encode"]["rows"][0]["arrays"] == {"pixel_values": [3, 64, 64]}
    assert facts["decode"]["labels"] == [{"id": 0, "label": "false"}, {"id": 1, "label": "true"}]


def test_what_leaving_a_word_out_does_is_what_the_model_says_without_it(train_tiny: Any) -> None:
    run = train_tiny(epochs=10)
    for label in ("good", "bad"):
        text = f"the room was {WORDS[label][0]} and we was in it today"
        facts = run.explain(text)
        influence = facts["influence"]
        assert facts["decode"]["answer"]["label"] == label
        assert len(influence["words"]) == influence["total"] == len(text.split())
        whole = facts["decode"]["answer"]["probabilities"][label]
        for word in influence["words"]:
            assert text[word["start"] : word["end"]] == word["text"]
            without = run.predict([f"{text[: word['start']]}{text[word['end'] :].lstrip()}".strip()])[0]
            assert word["without"][0] == pytest.approx(without["probabilities"][label], abs=1e-5)
            assert word["change"][0] == pytest.approx(word["without"][0] - whole, abs=1e-5)
            assert word["answer"] == without["label"]
    long = run.explain(" ".join(text for text, _label in sentences(8)))["influence"]
    assert (long["at_once"], len(long["words"]) <= MOST) == (-(-long["total"] // MOST), True)
    assert run.explain("lovely")["influence"] is None


@pytest.mark.parametrize("counts", [(60, 0), (61, 0), (61, 59), (59, 61), (119, 2), (1000, 1)])
def test_the_model_is_never_asked_more_often_than_it_says(counts: tuple[int, int]) -> None:
    asked: list[Any] = []

    def predict(records: Any) -> Any:
        asked.extend(records)
        return [{"label": "a", "score": 1.0, "probabilities": {"a": 1.0}} for _record in records]

    record = {"text": "word " * counts[0], "pair": "word " * counts[1]}
    answer = {"label": "a", "score": 1.0, "probabilities": {"a": 1.0}}
    facts = leave_one_out(SimpleNamespace(task=tasks.get("text-classification"), predict=predict), record, answer)  # type: ignore[arg-type]
    assert facts is not None
    assert len(asked) == len(facts["words"]) <= MOST
    assert facts["total"] == sum(counts)
    # And no less is told apart than that.
    assert facts["at_once"] == 1 or sum(-(-count // (facts["at_once"] - 1)) for count in counts) > MOST


def test_words_are_whole_and_stretches_too() -> None:
    text = "I don't like it; it's 20:30!"
    assert [text[start:end] for start, end in words_of(text)] == ["I", "don't", "like", "it", ";", "it's", "20", ":", "30", "!"]
    assert [text[start:end] for start, end in grouped(words_of(text), 4)] == ["I don't like it", "; it's 20:", "30!"]
    assert len(words_of("这家酒店很好")) in range(3, 7)  # words where jieba is installed, else characters


def test_a_record_that_lacks_an_input_is_named(tmp_path: Path) -> None:
    case = CASES["question"]
    with pytest.raises(UsageError, match='lacks "context"'):
        loaded(case, tmp_path / "model").explain(case.value)


def test_a_run_of_several_labels_tells_each_of_them(train_tiny: Any, tmp_path: Path) -> None:
    rows = [(text, "kind,warm" if label == "good" else "cold") for text, label in sentences(80)]
    run = train_tiny(data=write_csv(tmp_path / "labels.csv", rows), multi_label=True, epochs=6)
    facts = run.explain("the room was lovely and happy today")
    assert facts["decode"]["answer"]["labels"] == run.predict(["the room was lovely and happy today"])[0]["labels"]
    assert len(facts["influence"]["measures"]) == max(1, len(facts["decode"]["answer"]["labels"]))
    assert all(len(word["change"]) == len(facts["influence"]["measures"]) for word in facts["influence"]["words"])
