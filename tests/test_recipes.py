"""The recipe of zh-mini: what it learns from shares nothing with what is measured."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

RECIPE = Path(__file__).parents[1] / "recipes" / "zh-mini"
SECRET = "这家酒店的早餐非常丰富而且服务员很热情周到"  # more than 15 characters


def loaded(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def corpus() -> ModuleType:
    return loaded("zh_mini_corpus", RECIPE / "corpus.py")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_lines_that_share_a_run_with_a_measured_row_are_left_out(
    corpus: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    near, far = f"去年去过，{SECRET[:15]}，还会再去", f"朋友推荐我来住的时候说{SECRET[:14]}！果然没有骗人"
    write(data / "a.txt", f"{near}\n{far}\n一段别的文字，说的是历史。\n")
    write(data / "b.jsonl", json.dumps({"text": "  另一段  文字 "}, ensure_ascii=False) + "\n")
    write(data / "val.csv", f'label,text\n1,"{SECRET}"\n')
    monkeypatch.setattr(corpus, "SOURCES", {"a.txt": 1, "b.jsonl": 3})
    monkeypatch.setattr(corpus, "MEASURED", ("val.csv",))
    counts = corpus.gather(data, tmp_path / "corpus.txt")
    assert (tmp_path / "corpus.txt").read_text(encoding="utf-8").splitlines() == [far, "一段别的文字，说的是历史。", *["另一段 文字"] * 3]
    assert counts["a.txt"]["measured"] == 1 and counts["a.txt"]["documents"] == 2 and counts["b.jsonl"]["times"] == 3


@pytest.mark.parametrize(
    "told",
    [
        "这家酒店的早餐，非常丰富！而且服务员很热情周到",
        "这家酒店的早餐 / 非常丰富、而且服务员很热情周到",
        "这家酒店的早餐\u3000非常丰富_而且服务员很热情周到",
        "Ｗｉｆｉ很快ＯＫ早餐非常丰富而且服务员很热情",
        "【!】早餐非常（！）丰富；而且，很好！",
    ],
    ids=["signs", "blanks", "a wide blank and a line", "width and case", "signs that count"],
)
def test_neither_signs_nor_width_nor_case_hide_a_measured_row(
    told: str, corpus: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    write(data / "a.txt", f"{told}\n一段别的文字，说的是历史。\n")
    write(
        data / "val.csv",
        f'label,text\n1,"{SECRET}"\n0,"wifi很快，ok。早餐非常丰富而且服务员很热情"\n0,"早餐非常（！）丰富；而且，很好！真的"\n',
    )
    monkeypatch.setattr(corpus, "SOURCES", {"a.txt": 1})
    monkeypatch.setattr(corpus, "MEASURED", ("val.csv",))
    counts = corpus.gather(data, tmp_path / "corpus.txt")
    assert counts["a.txt"]["measured"] == 1
    assert (tmp_path / "corpus.txt").read_text(encoding="utf-8").splitlines() == ["一段别的文字，说的是历史。"]


def test_what_repeats_in_another_source_is_read_once(corpus: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or its copies, which are not quite the same, may stand on both sides of what is held out."""
    data = tmp_path / "data"
    long = "从前有一个国王住在山脚下的城里他每天早上都要到河边散步看看庄稼长得怎么样再回到宫里处理国家大事"
    write(data / "a.txt", f"{long}。\n只在这里的一行。\n")
    write(data / "b.txt", f"{long}！\n只在那里的一行。\n只在这里的一行。\n")
    write(data / "val.csv", "label,text\n1,好\n")
    monkeypatch.setattr(corpus, "SOURCES", {"a.txt": 1, "b.txt": 2})
    monkeypatch.setattr(corpus, "MEASURED", ("val.csv",))
    counts = corpus.gather(data, tmp_path / "corpus.txt")
    assert (tmp_path / "corpus.txt").read_text(encoding="utf-8").splitlines() == [
        f"{long}。",
        "只在这里的一行。",
        *["只在那里的一行。"] * 2,
    ]
    assert counts["a.txt"]["left_out"] == {}
    assert counts["b.txt"]["left_out"] == {"dropped:near_duplicate": 1, "dropped:exact_duplicate": 1}
    assert counts["b.txt"]["documents"] == 1 and counts["b.txt"]["times"] == 2


def test_the_card_says_how_much_of_it_is_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(RECIPE))
    make = loaded("zh_mini_make", RECIPE / "make.py")
    held_out = {"loss": 3.4, "perplexity": 30.0, "masked_accuracy": 0.38}
    trained = {"parameters": 14e6, "tokens": 4e8, "steps": 9000, "seconds": 450.0, "epochs": 11.1, "history": [{"validation": held_out}]}
    counts = {
        make.HISTORIES: {"documents": 9, "characters": 300, "times": 1},
        "others.txt": {"documents": 5, "characters": 100, "times": 3, "measured": 2},
    }
    card = make.card({"training": trained}, counts)
    assert "Translated histories are 75% of its different characters, and 50% of those that a pass reads" in card
    assert "in 7.5 minutes" in card and "A model of 7.5 minutes' training" in card
    assert "| others.txt | 5 | 100 | 3 | 2 |" in card


def test_texts_are_found_whatever_the_shape_of_a_file(corpus: ModuleType, tmp_path: Path) -> None:
    write(tmp_path / "ner.jsonl", json.dumps({"tokens": list(SECRET), "tags": ["O"] * len(SECRET)}, ensure_ascii=False) + "\n")
    write(tmp_path / "qa.json", json.dumps({"data": [{"paragraphs": [{"context": SECRET}]}]}, ensure_ascii=False))
    for name in ("ner.jsonl", "qa.json"):
        assert SECRET[:15] in corpus.runs_of(corpus.texts_of(tmp_path / name))
