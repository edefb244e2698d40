"""Tiny exports of every kind of answer that a static page gives, made on the spot as ``weitiao export`` leaves them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch

from tests.tasks.contract import SMALL
from weitiao import tasks
from weitiao.data.records import Records
from weitiao.deploy.torch_free import write_torch_free
from weitiao.engine.architectures import ARCHITECTURES
from weitiao.engine.blank import write_blank
from weitiao.engine.devices import Machine
from weitiao.engine.models import load_model
from weitiao.engine.prediction import predictor_for
from weitiao.runs import RunFolder, prediction_line, write_lines

TEXTS = (
    "the room was lovely and the day was sunny",
    "my box was late, and nobody at the service said why!",
    "Ada Lovelace was born in London; she wrote the first program.",
    "微调一个模型，很简单。",
    "Solar panels turn sunlight into electricity; large batteries store it for the night.",
    "is it <b>bold</b> & \"quoted\" or 'not'?",
)
STEEP = "<img src=x onerror='window.hit = 1'>"
ENTAILMENT = {"id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}}


class Case(NamedTuple):
    """A task, what it has learned, and how its records differ from a text alone."""

    task: str
    spec: dict[str, Any]
    beside: Mapping[str, Any] = MappingProxyType({})
    family: str = "bert"
    max_length: int = 64
    config: Mapping[str, Any] = MappingProxyType({})
    latin: bool = False


def zero_shot(config: dict[str, Any], **settings: Any) -> dict[str, Any]:
    task = tasks.get("zero-shot-classification")
    return task.spec_from(config, replace(tasks.settings_of(task)(), **settings))


SINGLE = {"labels": ["bad", STEEP, "10", "9"], "pair": False}
TAGS = {"tags": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], "scheme": "bio"}
VECTORS = {"pooling": "mean", "normalise": True}
SPORTS = ("sport", "New York, NY; or Boston", "天气、气候")  # which no mark parts
CASES = {
    "one label": Case("text-classification", SINGLE),
    "pair": Case("text-classification", {"labels": ["no", "yes"], "pair": True}, {"pair": "the box was [MASK] lovely"}, max_length=24),
    "several labels": Case("text-classification", {"labels": ["a", "b", "c"], "multi_label": True, "threshold": [0.5, 0.4, 0.6]}),
    "byte level": Case("text-classification", SINGLE, family="roberta"),
    "number": Case("regression", {"mean": 1200.5, "std": 340.25, "pair": False}),
    "entities": Case("token-classification", TAGS, max_length=24),
    "byte-level entities": Case("token-classification", TAGS, family="roberta", max_length=24),
    "entities by others": Case("token-classification", {"tags": ["O", "I-A", "E-A", "S-B"], "scheme": "repair"}),
    "vector": Case("feature-extraction", VECTORS),
    "two vectors": Case("feature-extraction", {**VECTORS, "longest": 16}, {"pair": "the day was warm"}),
    "keywords": Case("keyword-extraction", {**VECTORS, "top_k": 4, "diversity": 0.3}, latin=True),
    "entailment": Case("zero-shot-classification", zero_shot(ENTAILMENT, labels=SPORTS), config=ENTAILMENT),
    "nearness": Case("zero-shot-classification", zero_shot({}, labels=SPORTS, multi_label=True)),
}


def answer(case: Case, at: int) -> dict[str, Any]:
    """A right answer for a row, so that the figure that decides can be had."""
    labels = case.spec.get("labels", ["A"])
    label = labels[at % len(labels)]
    given = {"label": [label] if case.spec.get("multi_label") and case.task == "text-classification" else label, "value": float(at)}
    given |= {"spans": [{"start": 0, "end": 3, "label": "PER"}], "score": at / 10, "keywords": ["room", "batteries"]}
    return {field.name: given[field.name] for field in tasks.get(case.task).outputs}


def exported(case: Case, folder: Path, texts: Sequence[str] = TEXTS) -> Path:
    """The folder of an export, whose run was measured on the texts."""
    task = tasks.get(case.task)
    texts = [text for text in texts if not case.latin or "微" not in text]
    rows = [task.prepare({**dict.fromkeys(task.fields), "text": text, **case.beside, **answer(case, at)}) for at, text in enumerate(texts)]
    records = Records({name: [row.get(name) for row in rows] for name in rows[0]}, np.arange(len(rows)), "made.jsonl")
    write_blank(folder / "base", ARCHITECTURES[case.family], [*texts, *map(str, case.beside.values())], seed=1, size=SMALL)
    head = task.head(case.spec)
    config = {**task.model_config(case.spec), **case.config}
    loaded = load_model(folder / "base", head.classes, config, Machine("cpu", "fp32", 1), packed=False)
    with torch.no_grad():  # answers that differ from text to text
        for name, parameter in loaded.network.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(30 if "classifier" in name else 4)
    predictor = predictor_for(task, task.fit(case.spec, loaded.processor), loaded, case.max_length)
    made = RunFolder(folder / "made")
    made.path.mkdir()
    facts = write_torch_free(predictor, records, made)
    write_lines(made.predictions_file, [prediction_line(number, "made.jsonl", row, {}) for number, row in enumerate(rows, 2)])
    base = {"id": STEEP, "license": "Apache-2.0"}
    made.update(
        name="made",
        status="finished",
        task=case.task,
        spec=case.spec,
        settings={"seed": 1},
        base_model=base,
        export={"to": "onnx", "from": f"mine {STEEP}", "rows": len(rows), "equal": 1.0, "graph": facts},
    )
    made.update(export={**made.record()["export"], "sha256": made.hashes()})
    return made.path


def table(place: Path) -> dict[str, Any]:
    """What a page was told."""
    return dict(json.loads((place / "task.json").read_text(encoding="utf-8")))
