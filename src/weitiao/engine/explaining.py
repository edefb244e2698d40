"""What really happens to one record on its way to a prediction, stage by stage, as plain facts: encode, forward, decode.

It runs the very predictor that predictions come from and tells what passes through it, by field types and by the names and shapes of what
comes out; it knows no task, and draws nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.engine.leave_one_out import leave_one_out
from weitiao.engine.prediction import Predictor, batches
from weitiao.engine.readings import candidates, cosines, over_rows, reading
from weitiao.engine.spelling import Spelling
from weitiao.engine.watching import Watch
from weitiao.processing import Features
from weitiao.tasks.base import Outputs, Prediction, Record

TOP = 5  # candidates of a new token


def explain(predictor: Predictor, record: Record) -> dict[str, Any]:
    """The three stages for one record; everything in it is plain JSON.

    Args:
        predictor: with a backend that can be looked into, as torch's and the exports' can.
        record: prepared, as ``Predictor.predict`` takes it.

    Returns:
        {"task", "summary", "input", "encode", "forward", "decode", "influence"}. ``decode["answer"]`` is the prediction; "influence" is
        None where no words can be left out, see ``leave_one_out``.
    """
    task, backend = predictor.task, _backend(predictor)
    spell = backend.spelling(predictor.processor)
    features = predictor.encode(record)
    with backend.watched() as watch:
        if task.answers_by == "generate":
            written, ids, start = backend.write(features[0])
            outputs: list[Outputs] = [written]
        else:
            (outputs,) = predictor.outputs([features])
    if task.answers_by == "generate":
        steps = candidates(backend.follow(features[0], ids, start), ids[start:].tolist(), TOP, spell.read)
        rows: list[dict[str, Any]] = [{"kind": "steps", "steps": steps}]
    else:
        rows = [reading(arrays, backend.squash, spell.read) for arrays in outputs]
    answer = task.decode(record, features, outputs, predictor.spec, predictor.processor)
    explained = {
        "task": task.name,
        "summary": task.summary,
        "input": {field.name: record.get(field.name) for field in task.inputs},
        "encode": _encoded(predictor, features, spell),
        "forward": {**_forward(predictor, watch), **_compared(_placed(rows, features, answer), backend.squash)},
        "decode": _decoded(predictor, rows, answer),
        "influence": leave_one_out(predictor, record, answer),
    }
    return dict(plain(explained))


def plain(value: Any) -> Any:
    """The same without numpy."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _backend(predictor: Predictor) -> Any:
    return predictor.backend


def _encoded(predictor: Predictor, features: Sequence[Features], spell: Spelling) -> dict[str, Any]:
    """Each features' tokens, filled to the longest of its batch as the network gets them."""
    widths = {at: max(len(features[one]) for one in group) for group in batches(features) for at in group}
    pad = int(_backend(predictor).padding["input_ids"])
    return {
        "max_length": predictor.max_length,
        "padding": {"id": pad, **spell.read(pad)},
        "rows": [_row(one, widths[at], pad, spell) for at, one in enumerate(features)],
    }


def _row(features: Features, width: int, pad: int, spell: Spelling) -> dict[str, Any]:
    ids, parted = features.inputs["input_ids"], bool(features.parts)
    tokens = []
    for at, number in enumerate(ids):
        part = features.parts[at] if parted else None
        kind = spell.kind(number, part, parted)
        characters = list(features.offsets[at]) if features.offsets and kind != "special" else None
        own = {name: values[at] for name, values in features.inputs.items() if name != "input_ids"}
        tokens.append({"id": number, **spell.read(number), "kind": kind, "part": part, "characters": characters, **own})
    filled = {"id": pad, **spell.read(pad), "kind": "padding", "part": None, "characters": None}
    filled |= dict.fromkeys((name for name in features.inputs if name != "input_ids"), 0)
    return {
        "length": len(ids),
        "padding": width - len(ids),
        "cut": features.cut,
        "text": spell.written(ids, False),
        "arrays": {name: list(array.shape) for name, array in features.arrays.items()},
        "tokens": [*tokens, *(dict(filled) for _token in range(width - len(ids)))],
    }


def _forward(predictor: Predictor, watch: Watch) -> dict[str, Any]:
    return {
        **_backend(predictor).about(),
        "calls": watch.calls,
        "inputs": watch.inputs,
        "outputs": watch.outputs,
    }


def _compared(rows: list[dict[str, Any]], squash: str) -> dict[str, Any]:
    """The rows, with what only shows among them: a softmax over rows, cosines between vectors."""
    kinds = {row["kind"] for row in rows}
    compared: dict[str, Any] = {"squash": squash, "rows": rows}
    if squash == "rows" and kinds == {"labels"}:
        compared["over_rows"] = over_rows(rows)
    if kinds == {"vector"} and len(rows) > 1:
        compared["cosines"] = cosines(rows)
    return compared


def _placed(rows: list[dict[str, Any]], features: Sequence[Features], answer: Prediction) -> list[dict[str, Any]]:
    """Rows of spans with "answer", the first and last token of the answer's characters; None in a row that does not hold both."""
    spans = all(row["kind"] == "span" for row in rows)
    if not spans or any(not isinstance(answer.get(end), int) for end in ("start", "end")):
        return rows
    return [{**row, "answer": _ends(one, answer["start"], answer["end"])} for row, one in zip(rows, features, strict=True)]


def _ends(features: Features, start: int, end: int) -> list[int] | None:
    """The tokens of the last of the texts that hold the first and the last character of a stretch of it."""
    last = max((part for part in features.parts if part is not None), default=0)
    own = [(at, *features.offsets[at]) for at, part in enumerate(features.parts) if part == last]
    first = next((at for at, begins, ends in own if begins <= start < ends), None)
    final = next((at for at, begins, ends in own if begins < end <= ends), None)
    return None if first is None or final is None else [first, final]


def _decoded(predictor: Predictor, rows: Sequence[dict[str, Any]], answer: Prediction) -> dict[str, Any]:
    """What the numbers are read with: the labels by id where there are logits for them, the size of the vocabulary, what was learned."""
    logits: list[Any] = next((row["logits"] for row in rows if row["kind"] in ("labels", "tokens")), [])
    width = len(logits[0] if logits and isinstance(logits[0], list) else logits)
    names = _backend(predictor).labels
    # A head of one logit may have no name but the one that transformers gives to everything.
    fitting = set(names) == set(range(width)) and names != {0: "LABEL_0"}
    return {
        "labels": [{"id": number, "label": names[number]} for number in range(width)] if fitting and width else [],
        "vocabulary": predictor.processor.vocabulary,
        "spec": dict(predictor.spec),
        "answer": answer,
    }
