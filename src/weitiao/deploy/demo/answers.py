"""Answers as HTML, each drawn by what it holds: labels with bars, a text with what was found in it, a number, vectors, what was written.

It knows the shapes that the field types have in a prediction, and no task. Whatever comes from outside is escaped by the templates.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weitiao.messages import _
from weitiao.report.rendering import render

BARS = 12
COLOURS = 8
NUMBERS = 12  # of a vector

Drawn = dict[str, Any]


def answer_html(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> str:
    """What a model says of a record, in the language in force."""
    public = {name: value for name, value in prediction.items() if not name.startswith("_")}
    draw = next((draw for key, draw in SHAPES.items() if key in public), _unknown)
    return render("answer.html.j2", package="weitiao.deploy.demo", colours=COLOURS, **draw(record, public))


def problem_html(message: str) -> str:
    """What went wrong, where the answer would have stood."""
    return render("problem.html.j2", package="weitiao.deploy.demo", message=message)


def pieces(text: str, spans: Sequence[Mapping[str, Any]]) -> list[Drawn]:
    """A text cut at the ends of spans: {"text", "label": of what was found, None between}. What overlaps an earlier one is left out.

    >>> pieces("Ann lives", [{"start": 0, "end": 3, "label": "PER"}])
    [{'text': 'Ann', 'label': 'PER', 'score': None}, {'text': ' lives', 'label': None, 'score': None}]
    """
    cut: list[Drawn] = []
    at = 0
    for span in sorted(spans, key=lambda span: (span["start"], -span["end"])):
        if span["start"] < at:
            continue
        cut.append({"text": text[at : span["start"]], "label": None, "score": None})
        cut.append({"text": text[span["start"] : span["end"]], "label": str(span.get("label") or ""), "score": span.get("score")})
        at = span["end"]
    cut.append({"text": text[at:], "label": None, "score": None})
    return [piece for piece in cut if piece["text"]]


def _bars(shares: Mapping[str, float], chosen: Sequence[str]) -> Drawn:
    order = sorted(shares.items(), key=lambda pair: -pair[1])
    rows = [{"name": name, "share": share, "chosen": name in chosen} for name, share in order]
    return {"rows": rows[:BARS], "more": max(0, len(rows) - BARS)}


def _label(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    shares = prediction.get("probabilities") or {}
    return {"kind": "labels", "main": str(prediction["label"]), "score": prediction.get("score"), **_bars(shares, [prediction["label"]])}


def _labels(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    main = _(", ").join(prediction["labels"])
    shares = prediction.get("probabilities") or dict(zip(prediction["labels"], prediction.get("scores") or (), strict=False))
    return {"kind": "labels", "main": main or _("none of the labels"), "none": not main, **_bars(shares, prediction["labels"])}


def _spans(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    spans = prediction["spans"]
    names = list(dict.fromkeys(str(span["label"]) for span in sorted(spans, key=lambda span: span["start"])))
    return {"kind": "spans", "pieces": pieces(_holding(record, spans), spans), "names": names, "found": len(spans)}


def _span(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    """One stretch of a text that answers, and what else came into question."""
    said = prediction["answer"]
    there = said and isinstance(prediction.get("start"), int)
    spans = [{"start": prediction["start"], "end": prediction["end"], "text": said}] if there else []
    others = [{"name": one["answer"] or _("no answer"), "share": one["score"]} for one in prediction.get("answers") or ()]
    cut = pieces(_holding(record, spans), spans) if spans else []
    main = {"main": said or _("no answer"), "none": not said, "score": prediction.get("score")}
    return {"kind": "span", **main, "pieces": cut, "rows": others if len(others) > 1 else []}


def _holding(record: Mapping[str, Any], spans: Sequence[Mapping[str, Any]]) -> str:
    """The input in which spans stand: the last in which all of them read as they should."""
    texts = [value for value in record.values() if isinstance(value, str)]
    fit = [text for text in texts if all(text[span["start"] : span["end"]] == span["text"] for span in spans)]
    return (fit or texts or [""])[-1]


def _value(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    return {"kind": "number", "value": prediction["value"]}


def _vector(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    vector, similarity = prediction["vector"], prediction.get("similarity")
    return {"kind": "vector", "size": len(vector), "first": vector[:NUMBERS], "similarity": similarity, "whole": json.dumps(vector)}


def _masks(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    masks = [
        [{"name": str(one["token"]).strip(), "share": one["score"], "chosen": at == 0} for at, one in enumerate(candidates)]
        for candidates in prediction["masks"]
    ]
    return {"kind": "masks", "main": prediction.get("filled") or "", "masks": masks}


def _keywords(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    words = [{"name": one["keyword"], "share": one.get("score")} for one in prediction["keywords"]]
    return {"kind": "keywords", "words": words}


def _text(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    return {"kind": "text", "main": prediction["text"] or _("nothing written"), "none": not prediction["text"]}


def _unknown(record: Mapping[str, Any], prediction: Mapping[str, Any]) -> Drawn:
    """Of a task of somebody's own."""
    return {"kind": "other", "main": json.dumps(prediction, ensure_ascii=False, indent=2, default=str)}


# The key that tells a shape, and what makes plain values of it for the template.
SHAPES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Drawn]] = {
    "spans": _spans,
    "masks": _masks,
    "keywords": _keywords,
    "vector": _vector,
    "answer": _span,
    "labels": _labels,
    "label": _label,
    "value": _value,
    "text": _text,
}
