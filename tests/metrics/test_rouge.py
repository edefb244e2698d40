"""ROUGE against the rouge-score package, where it is installed, and against its published values and a plain table elsewhere."""

import random
from importlib.util import find_spec

import pytest

from weitiao.data.segmentation import chinese_words, segment, segmenter_for
from weitiao.errors import UsageError
from weitiao.metrics import rouge, rouge_scores

# (prediction, reference, rouge1, rouge2, rougeL): F-measures by rouge-score 0.1.2 without its stemmer.
PUBLISHED = [
    ("testing", "testing one two", 1 / 2, 0.0, 1 / 2),
    ("testing one", "testing one two", 4 / 5, 2 / 3, 4 / 5),
    ("testing two", "testing one two", 4 / 5, 0.0, 4 / 5),
    ("", "testing one two", 0.0, 0.0, 0.0),
    ("/", "testing one two", 0.0, 0.0, 0.0),
    ("testing", "", 0.0, 0.0, 0.0),
    (
        "The quick brown dog jumps on the log.",
        "The quick brown fox jumps over the lazy dog",
        0.7058823529411765,
        2 / 7.5,
        0.5882352941176471,
    ),
]


@pytest.mark.parametrize(("prediction", "reference", "one", "two", "longest"), PUBLISHED)
def test_english_is_scored_as_rouge_score_does(prediction: str, reference: str, one: float, two: float, longest: float) -> None:
    scores = rouge(prediction, reference)
    assert (scores["rouge1"], scores["rouge2"], scores["rougeL"]) == pytest.approx((one, two, longest))


@pytest.mark.skipif(find_spec("rouge_score") is None, reason="rouge-score is not installed")
def test_random_texts_agree_with_rouge_score() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    for prediction, reference in random_pairs(100):
        theirs = {name: score.fmeasure for name, score in scorer.score(reference, prediction).items()}
        assert rouge(prediction, reference) == pytest.approx(theirs)


def test_the_longest_common_subsequence_agrees_with_the_plain_table() -> None:
    for prediction, reference in random_pairs(50):
        first, second = segment(prediction, "words"), segment(reference, "words")
        table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
        for i, one in enumerate(first):
            for j, other in enumerate(second):
                table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
        assert rouge(prediction, reference)["rougeL"] == pytest.approx(2 * table[-1][-1] / (len(first) + len(second)))


def random_pairs(count: int) -> list[tuple[str, str]]:
    draw = random.Random(0)
    words = ["The", "cat", "don't", "sat-down", "3.5", "on", "café", "a", "mat", "…", "mat"]
    return [
        (" ".join(draw.choices(words, k=draw.randint(1, 90))), " ".join(draw.choices(words, k=draw.randint(1, 90)))) for _ in range(count)
    ]


def test_chinese_is_counted_by_characters_and_latin_words_stay_whole() -> None:
    assert segment("用 BERT-2 模型,ＡＢ！", "characters") == ["用", "bert", "2", "模", "型", "ab"]
    scores = rouge("基于BERT的方法", "基于BERT的新方法", segmenter="characters")
    assert scores["rouge1"] == pytest.approx(12 / 13)
    assert scores["rouge2"] == pytest.approx(2 * 4 / 11)
    assert scores["rougeL"] == pytest.approx(12 / 13)
    # What rouge-score would say of two identical texts.
    assert rouge("太阳升起", "太阳升起")["rougeL"] == 0.0
    assert rouge("太阳升起", "太阳升起", segmenter="characters") == {"rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0}


def test_chinese_words_by_jieba() -> None:
    pytest.importorskip("jieba")
    assert segment("我爱自然语言处理。", "jieba") == ["我", "爱", "自然语言", "处理"]
    assert chinese_words("我爱北京")[2] == ("北京", 2, 4)


def test_other_scripts_keep_their_letters_and_marks() -> None:
    assert segment("Größe: été", "unicode") == ["größe", "été"]
    assert segment("हिन्दी भाषा", "unicode") == ["हिन्दी", "भाषा"]
    assert segment("ที่นี่ ok", "characters") == ["ที่", "นี่", "ok"]


def test_the_segmenter_is_chosen_by_language_or_named() -> None:
    assert segmenter_for(["我们去了北京"]) == "characters"
    assert segmenter_for(["我们去了北京"], "jieba") == "jieba"
    with pytest.raises(UsageError, match=r'no segmenter "jeiba".*Did you mean "jieba"'):
        segmenter_for(["text"], "jeiba")


def test_an_empty_answer_counts_as_zero_in_the_mean() -> None:
    scores = rouge_scores(["a b", ""], ["a b", "a b"])
    assert scores["metrics"] == {"rouge1": 0.5, "rouge2": 0.5, "rougeL": 0.5}
    assert scores["segmenter"] == "words"
    assert scores["intervals"]["rouge1"] == [0.0, 1.0]
    assert len(scores["draws"]["rouge1"]) == 1000
