"""The recipe of zh-mini: what it learns from shares nothing with what is measured."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

RECIPE = Path(__file__).parents[1] / "recipes" / "zh-mini"
SECRET = "这家酒店的早餐非常丰富而且服务员很热情周到"  # more than 15 characters


@pytest.fixture
def corpus() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zh_mini_corpus", RECIPE / "corpus.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_texts_are_found_whatever_the_shape_of_a_file(corpus: ModuleType, tmp_path: Path) -> None:
    write(tmp_path / "ner.jsonl", json.dumps({"tokens": list(SECRET), "tags": ["O"] * len(SECRET)}, ensure_ascii=False) + "\n")
    write(tmp_path / "qa.json", json.dumps({"data": [{"paragraphs": [{"context": SECRET}]}]}, ensure_ascii=False))
    for name in ("ner.jsonl", "qa.json"):
        assert SECRET[:15] in corpus.runs_of(corpus.texts_of(tmp_path / name))
