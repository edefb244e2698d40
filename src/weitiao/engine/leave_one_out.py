"""Which words moved an answer: each is left out in turn, and the model asked again. It knows field types and the shapes of predictions, no
task and no network.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from weitiao.data.whole_words import whole_words, word_segmenter
from weitiao.engine.prediction import Predictor
from weitiao.tasks.base import Prediction, Record

MOST = 60  # times that the model is asked
LABELS = 3  # of several given labels, how many are followed
_APOSTROPHES = "'’"
_JUDGED = ("choice", "choices", "number")
_NUMBERS = ("value", "similarity")

Span = tuple[int, int]


def leave_one_out(predictor: Predictor, record: Record, answer: Prediction) -> dict[str, Any] | None:
    """How the answer changes when a word is left out of a text of the record; None where it holds nothing to measure, or too few words.

    A long text loses several neighbouring words at a time, so that the model is asked at most ``MOST`` times.

    Returns:
        {"method": "leave-one-out", "measures": [{"name", "kind", "value"}], "total": the words of all texts, "at_once": words that are
        left out together, "words": [{"field", "start", "end", "text", "answer": what is answered without, "without": [a value for each
        measure], "change": [without - with]}]}, in the text's order. A measure's kind is "probability", its name a label; or "number".
    """
    measures = measured(answer) if any(field.type in _JUDGED for field in predictor.task.outputs) else []
    texts = {field.name: record[field.name] for field in predictor.task.inputs if field.type == "text" and record.get(field.name)}
    words = {name: words_of(text) for name, text in texts.items()}
    at_once = together([len(own) for own in words.values()])
    parts = [(name, span) for name, own in words.items() for span in grouped(own, at_once)]
    # A text of nothing is no text: its only word stays.
    parts = [(name, span) for name, span in parts if without(texts[name], span).strip()]
    if not measures or not parts:
        return None
    asked = [{**record, name: without(texts[name], span)} for name, span in parts]
    told = []
    for (name, (start, end)), other in zip(parts, predictor.predict(asked), strict=True):
        values = [_value(other, measure) for measure in measures]
        told.append(
            {
                "field": name,
                "start": start,
                "end": end,
                "text": texts[name][start:end],
                "answer": _said(other),
                "without": values,
                "change": [value - measure["value"] for value, measure in zip(values, measures, strict=True)],
            }
        )
    return {"method": "leave-one-out", "measures": measures, "total": sum(map(len, words.values())), "at_once": at_once, "words": told}


def measured(answer: Prediction) -> list[dict[str, Any]]:
    """What of a prediction can rise and fall: the probabilities of its labels (of the likeliest where it gives none), or its number.

    >>> measured({"label": "good", "score": 0.75, "probabilities": {"bad": 0.25, "good": 0.75}})
    [{'name': 'good', 'kind': 'probability', 'value': 0.75}]
    >>> measured({"value": 3.5}), measured({"text": "..."})
    ([{'name': 'value', 'kind': 'number', 'value': 3.5}], [])
    """
    shares: Mapping[str, float] = answer.get("probabilities") or {}
    if shares:
        given = answer["labels"] if "labels" in answer else [answer["label"]]
        names = list(given[:LABELS]) or [max(shares, key=lambda label: shares[label])]
        return [{"name": name, "kind": "probability", "value": float(shares[name])} for name in names]
    return [{"name": name, "kind": "number", "value": float(answer[name])} for name in _NUMBERS if answer.get(name) is not None]


def words_of(text: str) -> list[Span]:
    """The words of a text with a letter or a digit in them, or a sign that stands alone; what an apostrophe joins is one word.

    >>> [("I don't, ok!")[start:end] for start, end in words_of("I don't, ok!")]
    ['I', "don't", ',', 'ok', '!']
    """
    joined: list[Span] = []
    tied = False  # whether the last one ends in an apostrophe that more may follow
    for start, end in whole_words(text, word_segmenter([text])):
        touches = bool(joined) and joined[-1][1] == start
        apostrophe = text[start:end] in _APOSTROPHES
        if touches and (tied or (apostrophe and text[start - 1].isalnum() and text[end : end + 1].isalnum())):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
            apostrophe = False
        tied = apostrophe
    return joined


def together(counts: Sequence[int]) -> int:
    """How many neighbouring words of texts with so many words must be left out at a time, so that there are at most ``MOST`` stretches.

    >>> together([60]), together([61]), together([61, 59])
    (1, 2, 3)
    """
    # No stretch reaches over into another text, so each text may have a short last one.
    return next(size for size in itertools.count(1) if sum(-(-count // size) for count in counts) <= MOST)


def grouped(words: Sequence[Span], size: int) -> list[Span]:
    """Stretches of ``size`` neighbouring words each, the last of what is left.

    >>> grouped([(0, 1), (2, 3), (4, 5)], 2)
    [(0, 3), (4, 5)]
    """
    return [(words[at][0], words[min(at + size, len(words)) - 1][1]) for at in range(0, len(words), size)]


def without(text: str, span: Span) -> str:
    """A text without a stretch of it, and without the second of the two spaces that it stood between.

    >>> without("a lovely day", (2, 8)), without("今天很好", (2, 3))
    ('a day', '今天好')
    """
    before, after = text[: span[0]], text[span[1] :]
    return before + (after.lstrip(" ") if not before or before[-1].isspace() else after)


def _value(answer: Prediction, measure: Mapping[str, Any]) -> float:
    shares: Mapping[str, float] = answer.get("probabilities") or {}
    return float(shares[measure["name"]] if measure["kind"] == "probability" else answer[measure["name"]])


def _said(answer: Prediction) -> Any:
    """The answer in a word: a label, labels, a number."""
    return next((answer[name] for name in ("labels", "label", *_NUMBERS) if answer.get(name) is not None), None)
