"""What is shown of an explained answer, on the page and on the terminal alike: the label table, the settings, the words that moved it.

It makes plain values of the facts of ``Model.explain``; how they are drawn, and what a number looks like, is the outlets' own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weitiao.messages import _
from weitiao.report.formats import plain
from weitiao.report.tokens import visible

SMALLEST = 0.01  # change that is worth a full bar
LONGEST = 200  # characters of a setting that is shown


def label_rows(decode: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """The label table: at most ``most`` rows, the likeliest first where there are more.

    >>> answer = {"label": "b", "probabilities": {"a": 0.25, "b": 0.75}}
    >>> label_rows({"labels": [{"id": 0, "label": "a"}, {"id": 1, "label": "b"}], "answer": answer}, 1)
    [{'id': 1, 'label': 'b', 'share': 0.75, 'chosen': True}]

    Returns:
        [{"id", "label", "share": its probability in the answer, "chosen": whether it was given}]; the share is None, and nothing chosen,
        where the answer has no probabilities for these labels.
    """
    answer, entries = decode["answer"], decode["labels"]
    shares = answer.get("probabilities") or {}
    chosen = answer.get("labels") if "labels" in answer else [answer.get("label")]
    scored = all(entry["label"] in shares for entry in entries)
    rows = [
        {**entry, "share": shares[entry["label"]] if scored else None, "chosen": scored and entry["label"] in (chosen or ())}
        for entry in entries
    ]
    return (sorted(rows, key=lambda row: -row["share"]) if scored and len(rows) > most else rows)[:most]


def settings(spec: Mapping[str, Any]) -> dict[str, str]:
    """What of a spec fits on a line and says something: numbers, switches that are on, short texts.

    >>> settings({"labels": ["a", "b"], "mean": 3.25, "pair": False, "template": "", "chat_template": "x" * 1000})
    {'mean': '3.25'}
    """
    return {
        name: visible(f"{value:.6g}" if isinstance(value, float) else plain(value))
        for name, value in spec.items()
        if (isinstance(value, (bool, int, float)) and value is not False) or (isinstance(value, str) and 0 < len(value) <= LONGEST)
    }


def coloured(facts: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """Every text that lost words, in pieces {"text", "weight", "change"}.

    The weight goes from -1, which spoke against the first figure as strongly as any word of all texts, to 1, which spoke for it. Between
    the words it is 0 and the change None.
    """
    influence = facts["influence"]
    if influence is None:
        return []
    largest = _largest(influence["words"], 0)
    texts = []
    for field in dict.fromkeys(word["field"] for word in influence["words"]):
        text, at, pieces = facts["input"][field], 0, []
        for word in (word for word in influence["words"] if word["field"] == field):
            pieces.append({"text": text[at : word["start"]], "weight": 0.0, "change": None})
            pieces.append({"text": word["text"], "weight": -word["change"][0] / largest, "change": word["change"][0]})
            at = word["end"]
        texts.append([*pieces, {"text": text[at:], "weight": 0.0, "change": None}])
    return texts


def moved(influence: Mapping[str, Any], figure: Callable[[float], str]) -> list[dict[str, Any]]:
    """Every measure with the words that changed it, most first.

    Args:
        figure: writes a number.

    Returns:
        [{"name", "kind", "value", "words": [{"text", "without", "change", "width": of its bar, from 0 to 1, "answer": in a word}]}]
    """
    return [{**measure, "words": _changes(influence["words"], at, figure)} for at, measure in enumerate(influence["measures"])]


def _changes(words: Sequence[Mapping[str, Any]], at: int, figure: Callable[[float], str]) -> list[dict[str, Any]]:
    largest = _largest(words, at)
    return [
        {
            "text": word["text"],
            "without": word["without"][at],
            "change": word["change"][at],
            "width": abs(word["change"][at]) / largest,
            "answer": _said(word["answer"], figure),
        }
        for word in sorted(words, key=lambda word: -abs(word["change"][at]))
    ]


def _largest(words: Sequence[Mapping[str, Any]], at: int) -> float:
    return max(SMALLEST, *(abs(word["change"][at]) for word in words))


def _said(answer: Any, figure: Callable[[float], str]) -> str:
    if isinstance(answer, float):
        return figure(answer)
    return _(", ").join(answer) or "–" if isinstance(answer, list) else str(answer)
