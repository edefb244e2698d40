"""Summarization: learning by heart, what is counted in which language, habits of pretrained models, and bad input."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from tests.tasks.translators import make_translator
from weitiao import tasks
from weitiao.data.records import Records
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank
from weitiao.engine.models import load_tokenizer, processor_for
from weitiao.errors import DataError, UsageError

TASK: Any = tasks.get("summarization")
ROWS = [
    ("研究了城市道路的交通流量,建立了数学模型,仿真结果表明方法有效。", "城市交通流量模型"),
    ("采用水热法制备了氧化锌纳米线,并测量了它的光学性质。", "氧化锌纳米线的制备"),
    ("分析了近十年小麦产量的变化,讨论了降雨和气温的影响。", "小麦产量变化分析"),
    ("提出一种基于BERT的文本分类方法,在两个数据集上做了实验。", "基于BERT的文本分类"),
    ("对某医院三年的用药情况做了统计,抗生素的使用逐年下降。", "医院用药情况统计"),
    ("设计了一个低功耗的温度传感器,精度达到零点一度。", "低功耗温度传感器设计"),
    ("考察了黄河下游的泥沙,给出了淤积的规律。", "黄河下游泥沙淤积规律"),
    ("讨论了中学数学教学中的问题,提出三点建议。", "中学数学教学建议"),
]


def settings(**given: Any) -> Any:
    return tasks.recipe({"task": "summarization", **given}).task


def records(rows: list[tuple[str, str]] = ROWS) -> Records:
    texts, summaries = (list(column) for column in zip(*rows, strict=True))
    return Records({"text": texts, "summary": summaries}, np.arange(len(rows)), "a.jsonl")


def write_rows(path: Path, rows: list[tuple[str, str]], names: tuple[str, str] = ("text", "summary")) -> Path:
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("family", ["t5", "mt5"])
def test_titles_are_learned_by_heart(family: str, tmp_path: Path) -> None:
    model, data = tmp_path / "model", write_rows(tmp_path / "rows.jsonl", ROWS)
    texts = [text for row in ROWS for text in row]
    write_blank(model, ARCHITECTURES[family], texts, seed=1, size=Size(width=64, layers=1, heads=4, positions=256, vocabulary=600))
    run: Any = weitiao.train(
        str(data),
        task="summarization",
        model=str(model),
        out=str(tmp_path / "run"),
        valid=str(data),
        test="0",
        threads=1,
        epochs=60,
        batch_size=4,
        lr=5e-3,
        max_new_tokens=48,
    )
    assert run.metrics["rougeL"] >= 0.9
    evaluation = run.record["evaluation"]
    assert evaluation["segmenter"] == "characters" and evaluation["headline"] == "rougeL"
    assert set(evaluation["baselines"]) == {"lead"}
    assert run.predict([ROWS[1][0]]) == [{"text": ROWS[1][1]}]
    assert weitiao.load(tmp_path / "run", num_beams=4).predict([ROWS[1][0]]) == [{"text": ROWS[1][1]}]
    assert weitiao.load(tmp_path / "run", max_new_tokens=2).predict([ROWS[1][0]])[0]["text"] != ROWS[1][1]


def test_figures_say_what_they_count_and_empty_is_zero() -> None:
    spec = TASK.learn(records(), settings())
    predictions = [{"text": summary} for _text, summary in ROWS]
    predictions[2] = {"text": ""}
    scores = TASK.score(predictions, records(), spec)
    assert scores["metrics"]["rouge1"] == pytest.approx(7 / 8)
    assert scores["segmenter"] == "characters" and scores["empty_answers"] == 1
    assert scores["side_by_side"][0] == {"input": ROWS[2][0], "reference": ROWS[2][1], "prediction": "", "score": 0.0}
    english = records([("The council closed the bridge.", "The bridge is closed.")])
    assert TASK.score([{"text": "bridge closed"}], english, TASK.learn(english, settings()))["segmenter"] == "words"
    assert TASK.score([{"text": "bridge"}], english, TASK.spec_from({}, settings()))["segmenter"] == "words"
    with pytest.raises(UsageError, match="--segmenter"):
        settings(segmenter="jeiba")


def test_words_by_jieba_where_asked_for() -> None:
    pytest.importorskip("jieba")
    spec = TASK.adjusted(TASK.learn(records(), settings()), {"segmenter": "jieba"})
    assert TASK.score([{"text": summary} for _text, summary in ROWS], records(), spec)["segmenter"] == "jieba"


def test_the_baseline_is_the_beginning_in_whole_words() -> None:
    train = records([("x", "twelve chars")])
    (answer,) = TASK.baselines(train, records([("The council closed the bridge.", "x")]), {})["lead"]
    assert answer == {"text": "The council closed"}
    (answer,) = TASK.baselines(records(), records(ROWS[:1]), {})["lead"]
    assert ROWS[0][0].startswith(answer["text"]) and len(answer["text"]) == 9


def test_t5_is_told_what_to_do_and_others_are_not(tmp_path: Path) -> None:
    texts = [text for row in ROWS for text in row]
    t5 = processor_for(load_tokenizer(make_translator(tmp_path / "t5", "t5", texts)))
    spec = TASK.fit(TASK.learn(records(), settings()), t5)
    assert spec["beginning"] == "summarize: "
    assert TASK.fit(spec, t5) == spec
    assert TASK.fit(TASK.learn(records(), settings(prefix="")), t5)["beginning"] == ""
    (plain,) = TASK.encode({"text": "城市"}, t5, {**spec, "beginning": ""}, max_length=64, for_training=False)
    (told,) = TASK.encode({"text": "城市"}, t5, spec, max_length=64, for_training=False)
    assert len(told) > len(plain)
    mbart = processor_for(load_tokenizer(make_translator(tmp_path / "mbart50", "mbart50", texts)))
    spec = TASK.fit(TASK.learn(records(), settings()), mbart)
    assert spec["beginning"] == "" and spec["code"] == mbart.token("zh_CN")
    (features,) = TASK.encode({"text": ROWS[0][0], "summary": ROWS[0][1]}, mbart, spec, max_length=64, for_training=True)
    assert features.inputs["input_ids"][0] == features.target[0] == spec["code"]
    assert TASK.generation(spec)["forced_bos_token_id"] == spec["code"]


def test_what_is_too_long_is_cut_on_both_sides_and_counted(tmp_path: Path) -> None:
    processor = processor_for(load_tokenizer(make_translator(tmp_path / "t5", "t5", ["a b c"])))
    spec = TASK.fit(TASK.learn(records([("a", "b")]), settings(prefix="")), processor)
    (features,) = TASK.encode({"text": "a " * 9, "summary": "b " * 8}, processor, spec, max_length=6, for_training=True)
    assert len(features) == len(features.target) == 6 and features.cut == 4 + 3
    assert features.target[-1] == processor.special("eos")[1]


def test_habits_of_a_pretrained_model_hold_only_where_nothing_was_learned() -> None:
    learned = {**TASK.learn(records(), settings()), "code_at": None, "code": None}
    assert TASK.generation(learned)["min_length"] == 0
    assert "min_length" not in TASK.generation({**TASK.spec_from({}, settings()), "code_at": None, "code": None})


def test_without_jieba_words_by_it_are_refused_before_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jieba", None)
    TASK.check_judging(TASK.learn(records(), settings()), records())
    with pytest.raises(UsageError, match=r"pip install 'weitiao\[zh\]'"):
        TASK.check_judging(TASK.learn(records(), settings(segmenter="jieba")), records())


@pytest.mark.parametrize(
    "names", [("article", "highlights"), ("document", "summary"), ("正文", "摘要"), ("dialogue", "summary"), ("content", "title")]
)
def test_usual_names_of_columns_are_known(names: tuple[str, str], tmp_path: Path) -> None:
    data = write_rows(tmp_path / "a.jsonl", ROWS, names)
    found = weitiao.check(str(data), task="summarization")["plan"]["fields"]
    assert (found["text"]["columns"], found["summary"]["columns"]) == ([names[0]], [names[1]])


def test_an_empty_summary_is_refused_with_its_row(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "a.jsonl", [*ROWS, ("正文还在。", "\u200b")])
    with pytest.raises(DataError, match=r'row 9.*"summary" is empty'):
        weitiao.check(str(data), task="summarization")
    assert weitiao.check(str(data), task="summarization", max_bad_rows=1)["ledger"]["dropped:empty_summary"] == 1
