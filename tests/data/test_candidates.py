"""Candidates for keywords: by jieba in Chinese, by stop words in English."""

import sys
from pathlib import Path

import pytest

from weitiao.data import segmentation
from weitiao.data.candidates import candidates
from weitiao.errors import UsageError


def texts(text: str) -> list[str]:
    return [one.text for one in candidates(text)]


def test_chinese_words_and_short_runs() -> None:
    pytest.importorskip("jieba")
    found = texts("利用卷积神经网络进行图像识别,并与支持向量机比较。卷积神经网络更好。")
    assert {"神经网络", "图像识别", "支持向量机"} <= set(found)
    assert not {"利用", "进行", "的", "与"} & set(found)
    assert not any("," in one or "。" in one for one in found)


def test_english_runs_between_stop_words() -> None:
    found = texts("It's easily done: fine-tuning a large language model, in 3 hours and 20 minutes.")
    assert {"fine-tuning", "large language model", "language model", "hours", "minutes"} <= set(found)
    assert not {"It's", "easily", "3 hours", "a", "in", "model in"} & set(found)


def test_counts_ignore_case_and_the_most_frequent_are_kept() -> None:
    by_text = {one.text: one.count for one in candidates("Solar power. solar power! Wind.")}
    assert by_text["Solar power"] == 2 and by_text["Wind"] == 1
    assert [one.text for one in candidates("Wind. Solar, solar, solar. Tide.", most=1)] == ["Solar"]
    assert texts("") == [] and texts("the of 12 ,") == []


def test_the_folder_of_jiebas_cache_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jieba")
    monkeypatch.setenv("WEITIAO_HOME", str(tmp_path))
    segmentation._jieba.cache_clear()
    try:
        texts("图像识别")
    finally:
        segmentation._jieba.cache_clear()
    assert (tmp_path / "jieba" / "jieba.cache").is_file()


def test_without_jieba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    segmentation._jieba.cache_clear()
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(UsageError, match=r"weitiao\[zh\]"):
        texts("图像识别")
    assert texts("image recognition") == ["image", "image recognition", "recognition"]
