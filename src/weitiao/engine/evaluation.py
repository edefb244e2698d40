"""Predictions become numbers with intervals, beside what simple methods reach on the same rows. It knows no run folder."""

import time
from typing import Any

from weitiao.data.records import Records
from weitiao.engine.prediction import Predictor
from weitiao.metrics import compare
from weitiao.observer import Observer
from weitiao.tasks.base import Prediction


def evaluate(
    predictor: Predictor, records: Records, *, split: str, train: Records | None, observer: Observer
) -> tuple[dict[str, Any], list[Prediction], float]:
    """Predict and score a split.

    Args:
        split: "test" or "validation".
        train: the training records, for the baselines; None leaves them out.

    Returns:
        The evaluation (metrics, intervals, baselines, verdict, details), the predictions in the records' order, and rows per second.
    """
    task, total = predictor.task, len(records)
    began = time.perf_counter()
    predictions = list(predictor.predict(records, lambda rows: observer.progress("evaluate", rows, total, {})))
    rows_per_s = total / max(time.perf_counter() - began, 1e-9)
    scores = task.score(predictions, records, predictor.spec)
    if task.answers_by == "generate":
        scores = {**scores, "metrics": {**scores["metrics"], **teacher_forced(predictor, records)}}
    answers = task.baselines(train, records, predictor.spec) if train is not None else {}
    baselines = {name: task.score(answer, records, predictor.spec) for name, answer in answers.items()}
    headline = task.judged_by(predictor.spec)
    compared = compare(scores, baselines, *headline)
    return {"split": split, "rows": total, "source": records.source, "headline": headline.metric, **compared}, predictions, rows_per_s


def teacher_forced(predictor: Predictor, records: Records) -> dict[str, float]:
    """{"loss", "perplexity"} of the right answers, each token predicted from the right ones before it."""
    examples = []
    for record in records:
        features = predictor.task.encode(record, predictor.processor, predictor.spec, max_length=predictor.max_length, for_training=True)
        examples += [[one] for one in features]
    losses: dict[str, float] = predictor.backend.loss(examples)  # type: ignore[attr-defined]
    return losses
