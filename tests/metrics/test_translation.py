"""BLEU and chrF against sacreBLEU itself, and their intervals."""

import random

import pytest

from weitiao.metrics.translation import sentence_chrf, tokeniser_for, translation_scores

sacrebleu = pytest.importorskip("sacrebleu")


def pairs(count: int) -> tuple[list[str], list[str]]:
    draw = random.Random(1)
    words = ["the", "a", "cat", "dog", "sat", "on", "in", "mat", "house", ",", ".", "big"]
    references = [" ".join(draw.choices(words, k=draw.randint(4, 15))) for _ in range(count)]
    predictions = [" ".join(word if draw.random() < 0.7 else draw.choice(words) for word in line.split()) for line in references]
    return predictions, references


def test_figures_and_signature_are_sacrebleus() -> None:
    predictions, references = pairs(40)
    predictions[3] = ""
    scores = translation_scores(predictions, references)
    assert scores["metrics"]["bleu"] == pytest.approx(sacrebleu.corpus_bleu(predictions, [references]).score)
    assert scores["metrics"]["chrf"] == pytest.approx(sacrebleu.corpus_chrf(predictions, [references]).score)
    assert scores["signature"].startswith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0" in scores["signature"]


def test_intervals_hold_the_figure_and_draws_are_corpus_scores() -> None:
    predictions, references = pairs(40)
    scores = translation_scores(predictions, references)
    for name in ("bleu", "chrf"):
        low, high = scores["intervals"][name]
        assert low < scores["metrics"][name] < high
        assert len(scores["draws"][name]) == 1000
    same = translation_scores(references[:1], references[:1])
    assert same["draws"]["bleu"] == pytest.approx([100.0] * 1000)


def test_a_resample_is_scored_as_the_same_rows_written_out() -> None:
    from weitiao.metrics.resampling import resamples

    predictions, references = pairs(12)
    drawn = next(resamples(12))[0]
    again = sacrebleu.corpus_bleu([predictions[i] for i in drawn], [[references[i] for i in drawn]]).score
    assert translation_scores(predictions, references)["draws"]["bleu"][0] == pytest.approx(again)


def test_chinese_is_cut_by_characters() -> None:
    right, answer = ["他经常患糖尿病，很痛苦。"], ["他经常患糖尿病，非常痛苦。"]
    assert translation_scores(answer, right, tokeniser=tokeniser_for("zh"))["metrics"]["bleu"] == pytest.approx(
        sacrebleu.corpus_bleu(answer, [right], tokenize="zh").score
    )
    assert "tok:zh" in translation_scores(answer, right, tokeniser="zh")["signature"]
    assert translation_scores(answer, right, tokeniser="13a")["metrics"]["bleu"] < 10


def test_nothing_written_is_nothing() -> None:
    assert translation_scores(["", ""], ["a b c d e", "f g h i j"])["metrics"] == {"bleu": 0.0, "chrf": 0.0}
    assert sentence_chrf(["", "same text"], ["a b", "same text"]) == pytest.approx([0.0, 100.0])
