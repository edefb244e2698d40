"""Answers against their references, as the two reading benchmarks score them: SQuAD's rules word by word, CMRC 2018's by characters.

It knows texts only; whether a row's language puts spaces between words is for the caller to say.
"""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.metrics.resampling import mean_scores, ratio_scores
from weitiao.metrics.side_by_side import side_by_side

BINS = 10
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
# CMRC's own list; what is not in it, such as an ASCII comma, counts as a character.
_CMRC_PUNCTUATION = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
# Scripts that put no space between words: each of their characters stands alone, while words and numbers of other scripts stay whole.
_ALONE = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_PIECES = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+(?:[.,]\d+)*|[^\w\s]")


def exact_match(answer: str, reference: str, *, spaces: bool = True) -> float:
    """1 where the two are the same but for case and punctuation (and, between spaces, articles), else 0.

    >>> exact_match("The Nile.", "nile"), exact_match("《论语》", "论语", spaces=False)
    (1.0, 1.0)
    """
    normal = _squad_normal if spaces else _cmrc_normal
    return float(normal(answer) == normal(reference))


def overlap_f1(answer: str, reference: str, *, spaces: bool = True) -> float:
    """The F1 of what answer and reference share: words in any order, or their longest common run of characters. No answer equals no answer.

    >>> round(overlap_f1("in the year 1912", "1912"), 3), round(overlap_f1("公元1912年", "1912年", spaces=False), 3)
    (0.5, 0.667)
    """
    ours, theirs = (_squad_normal(text).split() if spaces else segments(text) for text in (answer, reference))
    if not ours or not theirs:
        return float(ours == theirs)
    shared = (Counter(ours) & Counter(theirs)).total() if spaces else _longest_run(ours, theirs)
    return 2 * shared / (len(ours) + len(theirs))


def segments(text: str) -> list[str]:
    """A text as CMRC 2018 cuts it: each Chinese character alone, words of other scripts whole, CMRC's punctuation left out.

    >>> segments("《iPhone 6》发布于2014年。")
    ['iphone', '6', '发', '布', '于', '2014', '年']
    """
    return _PIECES.findall(_cmrc_normal(text))


def best_of(answer: str, references: Sequence[str], *, spaces: bool = True) -> tuple[float, float]:
    """(exact match, F1) against the best of the references; [] means that there is no answer, and "" is right."""
    # SQuAD leaves out references of which nothing remains.
    wanted = [text for text in references if (_squad_normal(text) if spaces else _cmrc_normal(text))] or [""]
    exact = max(exact_match(answer, reference, spaces=spaces) for reference in wanted)
    return exact, max(overlap_f1(answer, reference, spaces=spaces) for reference in wanted)


def answer_scores(
    answers: Sequence[str], references: Sequence[Sequence[str]], spaces: Sequence[bool], *, questions: Sequence[str] = ()
) -> dict[str, Any]:
    """Exact match and F1 with intervals; where some questions have no answer, also how each kind of them fares.

    >>> scores = answer_scores(["1912", ""], [["in 1912"], []], [True, True])
    >>> {name: round(value, 3) for name, value in scores["metrics"].items()}
    {'exact_match': 0.5, 'f1': 0.833, 'answerable_f1': 0.667, 'unanswerable_accuracy': 1.0}

    Args:
        answers: one a row; "" says that there is none.
        references: right answers of each row; [] says that there is none.
        spaces: of each row, whether its language puts spaces between words: SQuAD's rules then, CMRC's otherwise.
        questions: shown beside the answers.

    Returns:
        {"metrics", "intervals", "draws", "overlaps", "side_by_side", "signature"}.
    """
    rows = [best_of(answer, wanted, spaces=spaced) for answer, wanted, spaced in zip(answers, references, spaces, strict=True)]
    exact, f1 = np.array(rows, dtype=np.float64).T  # (rows,) each
    scores = mean_scores({"exact_match": exact, "f1": f1})
    answerable = np.array([bool(wanted) for wanted in references])
    if not answerable.all():
        parts = {"answerable_f1": (f1 * answerable, answerable), "unanswerable_accuracy": (exact * ~answerable, ~answerable)}
        there = {name: (above.tolist(), below.tolist()) for name, (above, below) in parts.items() if below.any()}
        scores = _merged(scores, ratio_scores(there))
    rules = [name for name, spaced in (("SQuAD", True), ("CMRC 2018", False)) if spaced in spaces]
    wanted = [" | ".join(dict.fromkeys(own)) for own in references]
    shown = side_by_side(questions or [""] * len(answers), wanted, answers, f1.tolist())
    return scores | {"overlaps": _histogram(f1), "side_by_side": shown, "signature": " + ".join(rules)}


def _squad_normal(text: str) -> str:
    """Lower case, without ASCII punctuation, articles and spare white space: SQuAD's ``normalize_answer``."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_ASCII_PUNCTUATION)).split())


def _cmrc_normal(text: str) -> str:
    """Lower case without CMRC's punctuation: its ``remove_punctuation``."""
    return text.lower().strip().translate(_CMRC_PUNCTUATION)


def _longest_run(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """The length of the longest run of segments that stands in both."""
    longest, before = 0, [0] * (len(theirs) + 1)
    for one in ours:
        now = [0] * (len(theirs) + 1)
        for at, other in enumerate(theirs, 1):
            if one == other:
                now[at] = before[at - 1] + 1
                longest = max(longest, now[at])
        before = now
    return longest


def _histogram(values: np.ndarray) -> list[dict[str, float]]:
    """Bins [low, high) of the rows' F1, the last one closed."""
    counts, edges = np.histogram(values, bins=BINS, range=(0.0, 1.0))
    bounds = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [{"low": low, "high": high, "count": count} for (low, high), count in zip(bounds, counts.tolist(), strict=True)]


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    return {key: {**first[key], **second[key]} for key in ("metrics", "intervals", "draws")}
