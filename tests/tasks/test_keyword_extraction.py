"""Keywords: candidates ranked by vectors, with and without training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from tests.conftest import FILLER, WORDS, make_model
from weitiao import tasks
from weitiao.errors import DataError, UsageError
from weitiao.metrics.keywords import keyword_scores
from weitiao.tasks.keyword_extraction import _diverse

TASK = tasks.get("keywords")


def rows(count: int) -> list[dict[str, Any]]:
    """Texts with good and bad words in them, of which the good are the keywords."""
    draw = np.random.default_rng(0)
    made = []
    for _row in range(count):
        good, bad = (draw.choice(WORDS[kind], 3, replace=False).tolist() for kind in ("good", "bad"))
        words = draw.permutation([*good, *bad]).tolist()
        text = " ".join(f"{word} {FILLER[int(draw.choice([0, 1, 5, 6, 7]))]}" for word in words)
        made.append({"text": text, "keywords": good})
    return made


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf-8")
    return path


def test_it_learns_which_candidates_people_choose(tmp_path: Path) -> None:
    data = write(tmp_path / "k.jsonl", rows(120))
    model = make_model(tmp_path / "m")
    before = weitiao.load(model, task="keywords").evaluate(str(data))["metrics"]["f1_at_5"]
    quick = {"epochs": 6, "batch_size": 16, "lr": 3e-3, "max_length": 32, "threads": 1}
    run = weitiao.train(str(data), task="keywords", model=str(model), out=str(tmp_path / "run"), diversity=0.0, **quick)
    # Three of six words are right, so the first five hold them all at best: 2 * 3 / (3 + 5).
    assert before < 0.68 < run.metrics["f1_at_5"] <= 0.75
    assert run.record["evaluation"]["baselines"]["tfidf_keywords"]["metrics"]["f1_at_5"] < run.metrics["f1_at_5"]
    # The first five are judged however many are shown.
    evaluation = run.evaluate(str(data))
    few = weitiao.load(run.path, top_k=1).evaluate(str(data))
    assert few["metrics"] == evaluation["metrics"] and few["baselines"] == evaluation["baselines"]
    answer = weitiao.load(run.path, top_k=2).predict(["a lovely day and a rude room"])[0]
    assert len(answer["keywords"]) == 2 and answer["keywords"][0]["score"] >= answer["keywords"][1]["score"]
    assert run.predict(["the of and"])[0] == {"keywords": []}
    scored = run.predict_file(str(data), tmp_path / "out.jsonl")
    assert scored["rows"] == 120


def test_chinese_without_training(tmp_path: Path) -> None:
    pytest.importorskip("jieba")
    text = "利用卷积神经网络进行图像识别。"
    answer = weitiao.load(make_model(tmp_path / "m"), task="keyword-extraction", top_k=3).predict([text])[0]
    assert answer.keys() == {"keywords"}
    assert len(answer["keywords"]) == 3 and all(one["keyword"] in text for one in answer["keywords"])


def test_alike_ones_lose() -> None:
    near, alike = np.array([0.9, 0.89, 0.5]), np.array([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert _diverse(near, alike, 2, 0.0) == [0, 1]
    assert _diverse(near, alike, 2, 0.5) == [0, 2]
    assert _diverse(near, alike, 9, 0.5) == [0, 2, 1]
    assert _diverse(np.zeros(0), np.zeros((0, 0)), 3, 0.5) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [(["水泵；阀门、管道"], ["水泵", "阀门", "管道"]), (["a; b"], ["a", "b"]), ([" A", "a", ""], ["a"]), (["x;y", "z"], ["x;y", "z"])],
)
def test_keywords_in_one_cell_are_parted(given: list[str], kept: list[str]) -> None:
    assert TASK.prepare({"text": "t", "keywords": given})["keywords"] == kept


def test_bad_keywords_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty"):
        TASK.prepare({"text": "t", "keywords": [" ; "]})
    with pytest.raises(DataError, match="list of texts"):
        TASK.prepare({"text": "t", "keywords": [1, 2]})
    with pytest.raises(UsageError, match="Input 1"):
        weitiao.load(make_model(tmp_path / "m"), task="keywords").predict([{"text": "t", "keywords": []}])


def test_the_figures_by_hand() -> None:
    scores = keyword_scores(["x", "y"], [["a", "b"], ["c"]], [["A", "d", "b", "e", "f", "c"], []])
    assert scores["metrics"] == pytest.approx({"precision_at_5": 0.2, "recall_at_5": 0.5, "f1_at_5": 2 / 7})
    assert scores["side_by_side"][0]["input"] == "y"
