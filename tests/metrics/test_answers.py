"""Answers against references, beside the rules of the two official scripts written out by hand."""

import collections
import random
import re
import string

import pytest

from weitiao.metrics.answers import answer_scores, best_of, exact_match, overlap_f1, segments

WORDS = ["The", "an", "a", "river", "Nile", "in", "1912", "it's", "U.S.", "3.5", "km,", "(north)", "the"]
CHARACTERS = [*"长江黄河是中国的，。《》（）", "iPhone", " 6 ", "2014", "-", "BERT"]


def _squad_words(text: str) -> list[str]:
    text = text.lower()
    text = "".join(character for character in text if character not in set(string.punctuation))
    text = re.sub(r"\b(a|an|the)\b", " ", text)
    return text.split()


def _squad(answer: str, reference: str) -> tuple[float, float]:
    ours, theirs = _squad_words(answer), _squad_words(reference)
    exact = float(" ".join(ours) == " ".join(theirs))
    if not ours or not theirs:
        return exact, float(ours == theirs)
    common = sum((collections.Counter(ours) & collections.Counter(theirs)).values())
    if common == 0:
        return exact, 0.0
    precision, recall = common / len(ours), common / len(theirs)
    return exact, 2 * precision * recall / (precision + recall)


def _cmrc_segments(text: str) -> list[str]:
    marks = ["-", ":", "_", "*", "^", "/", "\\", "~", "`", "+", "=", "，", "。", "：", "？", "！", "“", "”", "；", "’", "《", "》"]
    marks += ["·", "、", "「", "」", "（", "）", "－", "～", "『", "』"]
    found, other = [], ""
    for character in text.lower().strip():
        if character in marks:
            continue
        if re.search("[\u4e00-\u9fa5]", character):
            found += other.split()
            other = ""
            found.append(character)
        else:
            other += character
    return found + other.split()


def _cmrc(answer: str, reference: str) -> float:
    ours, theirs = _cmrc_segments(answer), _cmrc_segments(reference)
    runs = {tuple(ours[i:j]) for i in range(len(ours)) for j in range(i + 1, len(ours) + 1)}
    longest = max((j - i for i in range(len(theirs)) for j in range(i + 1, len(theirs) + 1) if tuple(theirs[i:j]) in runs), default=0)
    if longest == 0:
        return 0.0
    precision, recall = longest / len(ours), longest / len(theirs)
    return 2 * precision * recall / (precision + recall)


def test_words_as_squad_counts_them() -> None:
    draw = random.Random(0)
    for _ in range(500):
        answer, reference = (" ".join(draw.choices(WORDS, k=draw.randint(0, 5))) for _ in range(2))
        exact, f1 = _squad(answer, reference)
        assert exact_match(answer, reference) == exact, (answer, reference)
        assert overlap_f1(answer, reference) == pytest.approx(f1), (answer, reference)


def test_characters_as_cmrc_counts_them() -> None:
    draw = random.Random(0)
    for _ in range(500):
        answer, reference = ("中" + "".join(draw.choices(CHARACTERS, k=draw.randint(1, 8))) for _ in range(2))
        assert segments(answer) == _cmrc_segments(answer)
        assert overlap_f1(answer, reference, spaces=False) == pytest.approx(_cmrc(answer, reference)), (answer, reference)


def test_runs_of_characters_must_stand_together() -> None:
    assert overlap_f1("长江", "江长", spaces=False) == pytest.approx(0.5)
    assert overlap_f1("river Nile", "Nile river") == 1.0


def test_the_best_reference_counts_and_empty_ones_do_not() -> None:
    assert best_of("the Nile", ["Amazon", "Nile", ""]) == (1.0, 1.0)
    assert best_of("", ["Nile"]) == (0.0, 0.0)
    assert best_of("", []) == (1.0, 1.0)
    assert best_of("Nile", []) == (0.0, 0.0)
    # As in SQuAD's script, a reference of nothing but articles is left out.
    assert best_of("", ["the"]) == (1.0, 1.0)


def test_scores_of_many_rows() -> None:
    scores = answer_scores(
        ["Nile", "", "长江", ""], [["the Nile"], [], ["长江。", "黄河"], ["x"]], [True, True, False, True], questions=list("abcd")
    )
    assert scores["metrics"] == pytest.approx({"exact_match": 0.75, "f1": 0.75, "answerable_f1": 2 / 3, "unanswerable_accuracy": 1.0})
    assert scores["intervals"].keys() == scores["metrics"].keys() == scores["draws"].keys()
    assert scores["signature"] == "SQuAD + CMRC 2018"
    assert scores["side_by_side"][0] == {"input": "d", "reference": "x", "prediction": "", "score": 0.0}
    assert [one["count"] for one in scores["overlaps"]] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert answer_scores(["a"], [["b"]], [True])["metrics"].keys() == {"exact_match", "f1"}
    assert "answerable_f1" not in answer_scores(["a"], [[]], [True])["metrics"]
