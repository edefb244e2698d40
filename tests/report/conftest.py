"""Run folders made by hand, with figures that are really computed, for the report and the card."""

import json

import numpy as np
import pytest

from weitiao import messages
from weitiao.baselines import majority_class
from weitiao.metrics import classification_scores, compare
from weitiao.runs import RunFolder, write_lines


@pytest.fixture(autouse=True)
def english():
    messages.set_language("en")
    yield
    messages.set_language("en")


@pytest.fixture
def make_run(tmp_path):
    """make_run(labels, texts, ...) -> RunFolder: a finished run whose model is right with probability ``skill``."""

    def make(labels=("bad", "good"), texts=("What a day.",), *, rows=240, skill=0.85, rival=0.7, test=True, name="reviews", **changes):
        return build(fresh(tmp_path / name), labels, texts, rows, skill, rival, test, changes)

    return make


def fresh(path):
    run = RunFolder(path)
    run.create()
    return run


def answers(random, true, labels, skill):
    """Predictions that are right with probability ``skill`` and about as sure as they should be."""
    predictions = []
    for label in true:
        chosen = label if random.random() < skill else labels[random.integers(len(labels))]
        score = float(random.uniform(max(0.5, 1.2 / len(labels)), 0.99))
        rest = (1 - score) / (len(labels) - 1)
        predictions.append({"label": chosen, "score": score, "probabilities": {k: score if k == chosen else rest for k in labels}})
    return predictions


def build(run, labels, texts, rows, skill, rival, test, changes):
    random = np.random.default_rng(7)
    labels = list(labels)
    weights = np.linspace(2, 1, len(labels))
    train = [labels[i] for i in random.choice(len(labels), size=4 * rows, p=weights / weights.sum())]
    true = [labels[i] for i in random.choice(len(labels), size=rows, p=weights / weights.sum())]
    predictions = answers(random, true, labels, skill)
    rivals = {"majority": majority_class(train, rows, labels), "tfidf_logistic_regression": answers(random, true, labels, rival)}
    scores = {key: classification_scores(true, each, labels) for key, each in rivals.items()}
    history = [
        {"epoch": e, "step": 30 * e, "train_loss": 0.9 / e, "validation": {"loss": loss, "accuracy": 0.8, "f1_macro": f1}}
        for e, loss, f1 in ((1, 0.62, 0.71), (2, 0.48, 0.83), (3, 0.55, 0.81))
    ]
    record = {
        "schema": 1,
        "weitiao": "0.1.0",
        "name": run.path.name,
        "status": "finished",
        "exit_code": 0,
        "started": "2026-03-01T12:30:45+08:00",
        "ended": "2026-03-01T12:38:00+08:00",
        "command": ["/usr/local/bin/weitiao", "train", "my data.csv", "--model", "offline"],
        "task": "text-classification",
        "spec": {"labels": labels},
        "settings": {"data": "data.csv", "text": ["text"], "epochs": 3, "lr": 5e-05, "text_separator": "\n", "offline": False},
        "base_model": {
            "id": "offline:all-MiniLM-L6-v2",
            "source": "offline",
            "revision": None,
            "sha256": "53aa5117",
            "license": "Apache-2.0",
        },
        "data": {
            "splits": {s: {"rows": n, "source": "data.csv", "fingerprint": "ab"} for s, n in (("train", 4 * rows), ("validation", rows))},
            "plan": {"fields": {"text": {"columns": ["text"], "why": "by its name"}}, "unused": ["id"], "text_separator": "\n"},
            "ledger": {"dropped:empty_text": 2},
        },
        "seed": 42,
        "environment": {"python": "3.11.2", "platform": "Linux", "cpu": "x86_64", "threads": 2, "packages": {"torch": "2.13.0"}},
        "training": {
            "device": "cpu",
            "precision": "fp32",
            "parameters": 22_713_986,
            "trainable_parameters": 22_713_986,
            "steps": 90,
            "epochs": 3,
            "seconds": 434.2,
            "train_rows_per_s": 42.1,
            "peak_memory_bytes": 1_312_000_000,
            "best": {"epoch": 2, "step": 60, "metric": "f1_macro", "value": 0.83},
            "history": history,
        },
        "model_bytes": 90_900_000,
    }
    if test:
        record["data"]["splits"]["test"] = {"rows": rows, "source": "data.csv", "fingerprint": "cd"}
        result = compare(classification_scores(true, predictions, labels), scores, "f1_macro")
        record["evaluation"] = {"split": "test", "rows": rows, "source": "data/test.csv", "headline": "f1_macro", **result}
        lines = zip(true, predictions, strict=True)
        write_lines(
            run.predictions_file,
            (
                {"row": i + 2, "source": "test.csv", "text": texts[i % len(texts)], "label": t, "prediction": p}
                for i, (t, p) in enumerate(lines)
            ),
        )
    run.update(**{**record, **changes})
    for step in range(2, 91, 2):
        loss = 0.7 * np.exp(-step / 40) + 0.05 * random.random()
        run.append_log({"step": step, "epoch": step / 30, "loss": float(loss), "lr": 5e-05 * (1 - step / 91), "seconds": step / 10})
        if step % 30 == 0:
            run.append_log({"step": step, "epoch": step // 30, "validation": history[step // 30 - 1]["validation"]})
    write_lines(
        run.ledger_file,
        [
            {"source": "data.csv", "row": 7, "action": "dropped", "reason": "empty_text", "detail": "The text is empty."},
            {"source": "data.csv", "row": 9, "action": "dropped", "reason": "empty_text", "detail": ""},
            *({"source": "data.csv", "row": r, "action": "truncated", "reason": "too_long", "detail": "300 tokens"} for r in range(20, 60)),
        ],
    )
    run.check_file.write_text(json.dumps(check_of(labels, train, true, texts)), encoding="utf-8")
    return run


def check_of(labels, train, test, texts):
    bins = [{"low": 16 * i, "high": 16 * (i + 1), "count": int(400 * np.exp(-(((i - 3) / 3) ** 2)))} for i in range(12)]
    return {
        "rows": {"train": len(train), "validation": len(test), "test": len(test)},
        "labels": [{"label": k, "train": train.count(k), "validation": test.count(k), "test": test.count(k)} for k in labels],
        "lengths": {
            "unit": "tokens",
            "limit": 128,
            "mean": 60.2,
            "median": 55,
            "p95": 140,
            "max": 190,
            "truncated_rows": 40,
            "truncated_share": 0.06,
            "histogram": bins,
        },
        "language": "zh" if any("一" <= c <= "鿿" for c in texts[0]) else "en",
        "scripts": [{"script": "Latin", "share": 0.93}, {"script": "Han", "share": 0.07}],
        "near_duplicates_searched": {"rows": 900, "of": 1200},
        "findings": [
            {
                "code": "test_overlap",
                "severity": "error",
                "count": 3,
                "message": "3 test rows also stand in the training data.",
                "examples": [{"source": "data.csv", "rows": [3, 9], "text": texts[0], "labels": labels[:2]}],
            },
            {"code": "imbalance", "severity": "info", "count": 1, "message": "The labels are a little unbalanced.", "examples": []},
        ],
    }
