"""Predictions become numbers with intervals, beside what simple methods reach on the same rows. It knows no run folder."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.data.ledger import Ledger
from weitiao.data.records import Records
from weitiao.engine.prediction import Predictor
from weitiao.errors import DataError, MissingPackage, UsageError
from weitiao.messages import _
from weitiao.metrics import compare
from weitiao.metrics.perplexity import perplexity, token_loss_scores
from weitiao.observer import Observer
from weitiao.tasks.base import Prediction, Task


def evaluate(
    predictor: Predictor, records: Records, *, split: str, train: Records | None, observer: Observer, ledger: Ledger | None = None
) -> tuple[dict[str, Any], list[Prediction], float]:
    """Predict and score a split.

    Args:
        split: "test" or "validation".
        train: the training records, for the baselines; None leaves them out.
        ledger: gets a line for every row that was cut, or that no loss could be computed of; None where that is known already.

    Returns:
        The evaluation (metrics, intervals, baselines, verdict, details), the predictions in the records' order, and rows per second.
    """
    task, total = predictor.task, len(records)
    ledger = Ledger() if ledger is None else ledger
    spec = task.judged_on(predictor.spec, records)
    task.check_judging(spec, records)
    cut: dict[int, int] = {}

    def truncated(at: int, tokens: int) -> None:
        cut[at] = max(cut.get(at, 0), tokens)

    began = time.perf_counter()
    predictions = list(predictor.predict(records, lambda rows: observer.progress("evaluate", rows, total, {}), truncated))
    rows_per_s = total / max(time.perf_counter() - began, 1e-9)
    scores = task.score(predictions, records, spec)
    if task.answers_by == "generate":
        forced = teacher_forced(predictor, records, ledger, truncated, intervals=True)
        scores = {**scores, **{part: {**scores.get(part, {}), **forced[part]} for part in ("metrics", "intervals", "draws")}}
    for at in sorted(cut):
        ledger.cut(records.source, records.rows[at], cut[at], predictor.max_length)
    answers = _baselines(task, train, records, spec, observer)
    baselines = {name: task.score(answer, records, spec) for name, answer in answers.items()}
    headline = task.judged_by(spec)
    scores["metrics"] = plain_numbers(task, scores["metrics"], headline.metric)
    for baseline in baselines.values():
        baseline["metrics"] = plain_numbers(task, baseline["metrics"])
    for note in scores.get("notes", ()):
        observer.warn(note)
    compared = compare(scores, baselines, *headline, rows=total) | {"headline": headline.metric, "direction": headline.direction}
    return {"split": split, "rows": total, "source": records.source, **compared}, predictions, rows_per_s


def _baselines(
    task: Task, train: Records | None, records: Records, spec: dict[str, Any], observer: Observer
) -> Mapping[str, Sequence[Prediction]]:
    """What simple methods answer; {} where there is nothing to learn from, or, with a warning, where a package is missing."""
    if train is None:
        return {}
    try:
        return task.baselines(train, records, spec)
    except MissingPackage as missing:
        observer.warn(_("Baselines are left out: {reason}").format(reason=missing))
        return {}


def plain_numbers(task: Task, metrics: Mapping[str, Any], needed: str = "") -> dict[str, float]:
    """Metrics as a run can hold them: a task of somebody's own may give numpy's or torch's numbers.

    Args:
        needed: the metric that decides, where one does.

    Raises:
        UsageError: one is no number, or the one that decides is not among them.
    """
    if needed and needed not in metrics:
        message = _('{task} is judged by "{metric}", which its score does not give; it gives: {names}.')
        raise UsageError(message.format(task=task.name, metric=needed, names=_(", ").join(metrics)))
    plain = {}
    for name, value in metrics.items():
        try:
            plain[name] = value if isinstance(value, (int, float)) else float(value)
        except (TypeError, ValueError):
            plain[name] = math.nan
        if not math.isfinite(plain[name]):
            message = _('{task}: its score gives {value} for "{metric}"; it must be a finite number.')
            raise UsageError(message.format(task=task.name, metric=name, value=value))
    return plain


def teacher_forced(
    predictor: Predictor,
    records: Records,
    ledger: Ledger | None = None,
    truncated: Callable[[int, int], None] = lambda at, tokens: None,
    *,
    intervals: bool = False,
) -> dict[str, dict[str, Any]]:
    """Loss and perplexity of the right answers, each token predicted from the right ones before it: {"metrics", "intervals", "draws"}.

    Args:
        ledger: gets a line for every row that has no answer of which a token could be judged, and is left out.
        truncated: as in ``Predictor.predict``.
        intervals: whether to say how sure the figures are, by a bootstrap over the records; {} where the loss has no part a record.

    Raises:
        DataError: so it is with every row; the message is about the first.
    """
    backend: Any = predictor.backend
    examples: list[Any] = []
    owners: list[int] = []  # whose each example is: a conversation may be several
    first: DataError | None = None
    for at, (row, record) in enumerate(zip(records.rows, records, strict=True)):
        try:
            features = predictor.task.encode(
                record, predictor.processor, predictor.spec, max_length=predictor.max_length, for_training=True
            )
        except DataError as error:
            first = first or records.blamed(row, error)
            if ledger is not None:
                ledger.add(records.source, row, "kept", "not_in_loss", str(error))
            continue
        grouped = [features] if backend.grouped else [[one] for one in features]
        examples += grouped
        owners += [at] * len(grouped)
        cut = sum(one.cut for one in features)
        if cut:
            truncated(at, cut)
    if not examples and first is not None:
        raise first
    losses, each = backend.losses(examples)
    terms = backend.terms
    loss = float(losses.sum()) / max(terms(examples), 1.0)
    scores: dict[str, dict[str, Any]] = {"metrics": {"loss": loss, "perplexity": perplexity(loss)}, "intervals": {}, "draws": {}}
    if not intervals or not each:
        return scores
    _records, of = np.unique(owners, return_inverse=True)
    tokens = np.bincount(of, weights=[terms([example]) for example in examples])  # (records,)
    sure = token_loss_scores(np.bincount(of, weights=losses).tolist(), tokens.tolist())
    return {**scores, "intervals": sure["intervals"], "draws": sure["draws"]}
