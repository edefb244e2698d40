"""Named entities: tags of words and back to characters, long texts by windows, Chinese, and the whole way on a tiny model."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from tests.conftest import FILLER, make_model
from weitiao import tasks
from weitiao.data.records import Records
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank
from weitiao.engine.models import load_tokenizer, processor_for
from weitiao.errors import DataError, ModelError
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Spec
from weitiao.tasks.token_classification import task

TAGS = ["O", "B-person", "I-person", "B-place", "I-place"]
SPEC: Spec = {"tags": TAGS, "scheme": "bio"}


@pytest.fixture
def processor(tmp_path: Path) -> Processor:
    return processor_for(load_tokenizer(make_model(tmp_path / "tiny")))


def settings(**given: Any) -> Any:
    return tasks.recipe({"task": "ner", **given}).task


def spans(*entities: tuple[int, int, str]) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "label": label} for start, end, label in entities]


def records(rows: list[tuple[str, list[dict[str, Any]]]]) -> Records:
    return Records({"text": [text for text, _ in rows], "spans": [found for _, found in rows]}, np.arange(len(rows)), "names.jsonl")


def answer(windows: list[Features], text: str, tag_of: dict[str, str], processor: Processor, spec: Spec = SPEC) -> list[dict[str, Any]]:
    """What is decoded where the model is sure that each word has the tag it has in ``tag_of``, and O elsewhere."""
    outputs = []
    for window in windows:
        logits = np.zeros((len(window), len(spec["tags"])), dtype=np.float32)
        for word in window.notes["words"]:
            logits[word.token, spec["tags"].index(tag_of.get(text[word.start : word.end], "O"))] = 9.0
        outputs.append({"logits": logits})
    return list(task.decode({"text": text}, windows, outputs, spec, processor)["spans"])


def encode(text: str, processor: Processor, found: Any = None, max_length: int = 64) -> list[Features]:
    record = {"text": text, "spans": found}
    return task.encode(record, processor, SPEC, max_length=max_length, for_training=found is not None)


def test_types_become_tags_outside_first() -> None:
    rows = records([("Ada saw Rome.", spans((8, 12, "place"), (0, 3, "person"))), ("Nothing.", [])])
    assert task.learn(rows, settings()) == SPEC
    config = task.model_config(SPEC)
    assert config["id2label"][1] == "B-person" and config["label2id"]["I-place"] == 4
    with pytest.raises(DataError, match="not one entity is marked in 1 training rows"):
        task.learn(records([("Nothing.", [])]), settings())


def test_only_the_first_token_of_a_word_is_judged(processor: Processor) -> None:
    text = "the day, and we"
    (window,) = encode(text, processor, spans((4, 7, "person"), (9, 15, "place")))
    # [CLS] the day , and we [SEP]
    assert window.target == [-100, 0, 1, 0, 3, 4, -100]
    with pytest.raises(DataError, match='"river" was not in the training data'):
        encode(text, processor, spans((4, 7, "river")))


def test_tags_come_back_as_characters(processor: Processor) -> None:
    text = "the  day and\nwe so"
    found = answer(encode(text, processor), text, {"day": "B-person", "and": "I-person", "so": "B-place"}, processor)
    assert [(one["start"], one["end"], one["label"], one["text"]) for one in found] == [
        (5, 12, "person", "day and"),
        (16, 18, "place", "so"),
    ]
    assert all(0.99 < one["score"] <= 1 for one in found)
    assert task.flat({"spans": found})["spans"] == json.dumps(found)


def test_an_inside_tag_goes_on_only_with_its_own_type(processor: Processor) -> None:
    """The likeliest sequence that BIO allows, and not the likeliest tag of each word."""
    text = "the day and"
    (window,) = encode(text, processor)
    logits = np.full((len(window), len(TAGS)), -9.0, dtype=np.float32)
    wanted = [[("I-place", 2.0), ("B-place", 1.0)], [("I-place", 5.0)], [("I-person", 3.0), ("I-place", 2.5)]]
    for word, scores in zip(window.notes["words"], wanted, strict=True):
        for tag, score in scores:
            logits[word.token, TAGS.index(tag)] = score
    (one,) = task.decode({"text": text}, [window], [{"logits": logits}], SPEC, processor)["spans"]
    assert (one["start"], one["end"], one["label"]) == (0, 11, "place")


def test_long_texts_are_read_in_windows_and_every_word_is_judged_once(processor: Processor) -> None:
    draw = random.Random(3)
    text = " ".join(draw.choices(FILLER, k=90))
    windows = encode(text, processor, max_length=24)
    judged = [(word.start, word.end) for window in windows for word in window.notes["words"]]
    assert len(windows) > 3 and max(map(len, windows)) <= 24
    assert judged == sorted(set(judged)) and [text[a:b] for a, b in judged] == text.split()
    trained = encode(text, processor, spans((0, len(text.split()[0]), "person")), max_length=24)
    assert sum(label != -100 for window in trained for label in window.target) == 90
    found = answer(windows, text, {"service": "B-place"}, processor)
    assert [one["start"] for one in found] == [at for at in range(len(text)) if text.startswith("service", at)]


def test_chinese_is_tagged_by_the_character(tmp_path: Path) -> None:
    text = "他住在上海。"
    write_blank(tmp_path / "zh", ARCHITECTURES["bert"], [text], seed=1, size=Size(width=8, layers=1, heads=2, vocabulary=50))
    processor = processor_for(load_tokenizer(tmp_path / "zh"))
    (window,) = encode(text, processor, spans((3, 5, "place")))
    assert window.target == [-100, 0, 0, 0, 3, 4, 0, -100]
    found = answer(encode(text, processor), text, {"上": "B-place", "海": "I-place"}, processor)
    assert [(one["text"], one["start"], one["end"]) for one in found] == [("上海", 3, 5)]


def test_a_text_without_words_has_no_entities(processor: Processor) -> None:
    assert answer(encode("  ", processor), "  ", {}, processor) == []


def test_pretrained_models_name_their_own_tags() -> None:
    assert task.spec_from({"id2label": {"1": "B-PER", "0": "O", "2": "I-PER"}}, settings())["tags"] == ["O", "B-PER", "I-PER"]
    assert task.spec_from({"id2label": {"0": "O", "1": "PER"}}, settings())["scheme"] == "plain"
    with pytest.raises(ModelError, match="names no tags"):
        task.spec_from({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, settings())


def test_figures_are_strict_and_by_type() -> None:
    rows = records([("Ada saw Rome.", spans((0, 3, "person"), (8, 12, "place"))), ("Bo ran.", spans((0, 2, "person")))])
    predictions = [{"spans": spans((0, 3, "person"), (8, 13, "place"))}, {"spans": spans((0, 2, "place"))}]
    scores = task.score(predictions, rows, SPEC)
    assert scores["metrics"]["f1"] == pytest.approx(1 / 3)  # one of three found, one of three right
    perfect = task.score([{"spans": found} for found in rows.columns["spans"]], rows, SPEC)
    assert perfect["metrics"]["f1"] == 1.0


def test_the_baseline_knows_the_names_it_has_seen() -> None:
    train = records([("Ada saw Rome.", spans((0, 3, "person"), (8, 12, "place")))])
    (found,) = task.baselines(train, records([("In Rome, Bo.", [])]), SPEC)["dictionary"]
    assert [(one["start"], one["end"], one["label"]) for one in found["spans"]] == [(3, 7, "place")]


def test_the_whole_way_from_a_conll_file(tmp_path: Path) -> None:
    draw = random.Random(1)
    lines = []
    for _sentence in range(80):
        for word in draw.choices([*FILLER, "lovely", "awful"], k=8):
            lines.append(f"{word} {'B-good' if word == 'lovely' else 'B-bad' if word == 'awful' else 'O'}")
        lines.append("")
    path = tmp_path / "train.conll"
    path.write_text("\n".join(lines), encoding="utf-8")
    model = make_model(tmp_path / "tiny")
    quick = {"epochs": 4, "lr": 5e-3, "batch_size": 8, "max_length": 32, "threads": 1}
    run = weitiao.train(str(path), task="ner", model=str(model), out=str(tmp_path / "run"), **quick)
    assert run.metrics["f1"] > 0.9
    (prediction,) = run.predict(["the lovely day"])
    assert [(one["text"], one["start"], one["end"], one["label"]) for one in prediction["spans"]] == [("lovely", 4, 10, "good")]
    from transformers import pipeline

    (plain,) = pipeline("token-classification", model=str(tmp_path / "run" / "model"), aggregation_strategy="simple")("the lovely day")
    assert (plain["entity_group"], plain["start"], plain["end"]) == ("good", 4, 10)
    assert plain["score"] == pytest.approx(prediction["spans"][0]["score"], abs=1e-5)


def test_a_wrong_tag_names_its_row(tmp_path: Path) -> None:
    path = tmp_path / "names.jsonl"
    rows = [{"tokens": ["a", "day"], "tags": ["O", "B-good"]}, {"tokens": ["a", "day"], "tags": ["O"]}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(DataError, match="row 2"):
        weitiao.train(str(path), task="ner", model=str(make_model(tmp_path / "tiny")), out=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
