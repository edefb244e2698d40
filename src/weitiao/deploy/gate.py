"""Is an export the run that it was made from? Both answer the run's own held-out rows: alone and in batches, figures and speed. It knows
predictors and records; it writes nothing and refuses nothing.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from weitiao.data.records import Records
from weitiao.engine.evaluation import teacher_forced
from weitiao.engine.kept import kept
from weitiao.errors import DataError
from weitiao.observer import SILENT, Observer
from weitiao.processing import Features
from weitiao.runs import RunFolder
from weitiao.tasks.base import Outputs, Prediction, Record, Spec, Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

MOST = 1000  # rows that are compared
PROBES = 64  # where only outputs are compared, of the same network in another file
ROUNDS = 5  # of each of the two, in turn, when their speed is compared
TIMED = 64  # rows of a round
WRITTEN = 64  # rows that are compared where an answer is written token by token, which takes a hundred times as long
TIMED_WRITTEN = 8  # rows of a round there


def most_of(task: Task) -> int:
    """How many rows an export of a task is compared on."""
    return WRITTEN if task.answers_by == "generate" else MOST


def held_out(run: RunFolder, task: Task, most: int = MOST) -> tuple[Records, bool]:
    """The first of the rows that a run was measured on, and True; the task's own example, and False, where it has none."""
    rows = run.measured_on(task.fields, most)
    held, source = bool(rows), next((str(line["source"]) for line in run.predictions()), "")
    rows = rows or [task.prepare({**dict.fromkeys(task.fields), **task.example})]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return Records(columns, np.arange(len(rows)), source), held


def outputs_apart(one: "Predictor", other: "Predictor", records: Iterable[Record]) -> dict[str, Any]:
    """{"rows", "difference"}: how many there are, and the largest difference of an output."""
    count, largest = 0, 0.0
    for record in records:
        features = one.encode(record)
        pairs = zip(one.backend.run(features), other.backend.run(features), strict=True)
        largest = max([largest, *(apart(mine, theirs) for mine, theirs in pairs)])
        count += 1
    return {"rows": count, "difference": largest}


def parity(one: "Predictor", other: "Predictor", records: Records, *, held: bool, observer: Observer = SILENT) -> dict[str, Any]:
    """What sets an export apart from its run.

    Args:
        one: the run.
        other: the export.
        held: whether the records have right answers.
        observer: is told how many answers have been computed, since models that write take minutes.

    Returns:
        {"rows", "difference": the largest difference of an output, or of the log-probability of a token of what the run writes, "equal":
        the share of rows with the same answer, both alone and in batches, "kept", "decided", "decided_otherwise": of a task that decides
        something the share of what the run decides that stays, entity by entity or label by label, how much it decides, and how much the
        export does; "metric": the figure that decides,
        "run", "value": the run's and the export's, "lost": how much worse the export's is, "interval": of the export's}; from "metric" on
        only where there are right answers. "drawn" is True where both draw their answers, of which the likeliest were compared.
    """
    writes = one.task.answers_by == "generate"
    drawn = {"drawn": True} if writes and one.task.generation(one.spec).get("do_sample") else {}
    if drawn:
        one, other = (replace(predictor, backend=predictor.backend.likeliest()) for predictor in (one, other))  # type: ignore[attr-defined]
    features, theirs = ([predictor.encode(record) for record in records] for predictor in (one, other))
    largest = max(map(_unread, features, theirs))
    course = _Course(observer, (4 if writes else 3) * sum(map(len, features)))
    wanted = one.outputs(features, course)  # (records, features)
    if writes:
        largest = max(largest, _chances_apart(one, other, features, wanted, course))
    told = {"batches": other.outputs(features, course), "alone": [[_alone(other, single, course) for single in own] for own in features]}
    answers = _decoded(one, records, features, wanted)
    equal, stays, otherwise = np.ones(len(records), bool), 1.0, 0
    given: list[Prediction] = []
    for outputs in told.values():
        if not writes:
            largest = max(largest, _outputs_apart(wanted, outputs))
        given = _decoded(other, records, features, outputs)
        equal &= [same(one.task.flat(mine), one.task.flat(others)) for mine, others in zip(answers, given, strict=True)]
        both = kept(one.task, answers, given)
        stays, otherwise = min(stays, both.share), max(otherwise, both.otherwise)
    figures = _figures((one, other), records, answers, given) if held else {}
    decides = any(one.task.decisions(answer) is not None for answer in answers)
    decided = {"kept": stays, "decided": both.decided, "decided_otherwise": otherwise} if decides else {}
    return {"rows": len(records), "difference": largest, "equal": float(equal.mean()), **decided, **figures, **drawn}


class _Course:
    """How many of so many answers have been computed; called with how many more."""

    def __init__(self, observer: Observer, total: int) -> None:
        self._observer, self._done, self._total = observer, 0, total

    def __call__(self, more: int) -> None:
        self._done += more
        self._observer.progress("compare", self._done, self._total, {})


def _alone(predictor: "Predictor", features: Features, course: _Course) -> Outputs:
    outputs = predictor.backend.run([features])[0]
    course(1)
    return outputs


def _outputs_apart(wanted: Sequence[Sequence[Outputs]], told: Sequence[Sequence[Outputs]]) -> float:
    """The largest difference of an output."""
    return max((apart(*pair) for mine, others in zip(wanted, told, strict=True) for pair in zip(mine, others, strict=True)), default=0.0)


def _chances_apart(
    one: "Predictor", other: "Predictor", features: Sequence[list[Features]], wanted: Sequence[Sequence[Outputs]], course: _Course
) -> float:
    """The largest difference of the log-probability that both give a token of what ``one`` wrote."""
    mine, theirs = (predictor.backend.chances for predictor in (one, other))  # type: ignore[attr-defined]
    parts = [pair for own, outputs in zip(features, wanted, strict=True) for pair in zip(own, outputs, strict=True)]
    largest = 0.0
    for part, given in parts:
        largest = max(largest, difference(mine(part, given["sequences"]), theirs(part, given["sequences"])))
        course(1)
    return largest


def speeds(one: "Predictor", other: "Predictor", records: Records, observer: Observer = SILENT) -> dict[str, float]:
    """{"rows_per_s", "against_rows_per_s", "faster"}: of ``other``, of ``one``, and how many times faster ``other`` is: the median of
    rounds that take turns, since a machine is never equally fast twice.
    """
    rows = list(records.select(range(min(TIMED_WRITTEN if one.task.answers_by == "generate" else TIMED, len(records)))))
    features = [[predictor.encode(record) for record in rows] for predictor in (one, other)]
    taken: list[tuple[float, float]] = []
    for done in range(1, ROUNDS + 1):
        taken.append((_seconds(one, features[0]), _seconds(other, features[1])))
        observer.progress("time", done, ROUNDS, {})
    mine, theirs = (float(np.median(side)) for side in zip(*taken, strict=True))
    ratio = float(np.median([first / second for first, second in taken]))
    return {"rows_per_s": len(rows) / theirs, "against_rows_per_s": len(rows) / mine, "faster": ratio}


def apart(one: Outputs, other: Outputs) -> float:
    """The largest difference of one features' outputs. Where there are numbers, ids beside them are an order of these numbers, in which two
    that are as good as equal may change places; ids alone, those of a written text, must be equal.

    >>> ids, floats = np.array([1, 2]), np.array([-1.0, -1.0])
    >>> apart({"tokens": ids, "chances": floats}, {"tokens": ids[::-1], "chances": floats}), apart({"tokens": ids}, {"tokens": ids[::-1]})
    (0.0, inf)
    """
    numbers = [name for name in one if np.issubdtype(one[name].dtype, np.floating)]
    return max((difference(one[name], other[name]) for name in numbers or one), default=0.0)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, as a share of the largest value where that is above 1. What is no finite number agrees with nothing.

    >>> difference(np.array([1.0, 4.0]), np.array([1.0, 5.0])), difference(np.array([np.nan]), np.array([np.nan]))
    (0.25, inf)
    """
    if one.shape != other.shape:
        return float("inf")
    if not np.issubdtype(one.dtype, np.floating):
        return 0.0 if np.array_equal(one, other) else float("inf")
    if not one.size:
        return 0.0
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    return float(np.abs(one - other).max() / max(1.0, float(np.abs(one).max())))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two flat predictions say the same in their first column, which is the answer. Scores in it may differ: how much is told by
    the outputs.

    >>> same({"label": "a", "score": 0.25}, {"label": "a", "score": 0.75}), same({"label": "a"}, {"label": "b"})
    (True, False)
    """
    mine, theirs = (_said(next(iter(flat.values()), None)) for flat in (one, other))
    return bool(mine == theirs)


def _said(answer: Any) -> Any:
    """An answer without its scores; what is written as JSON is read."""
    if isinstance(answer, str) and answer[:1] in ("[", "{"):
        try:
            answer = json.loads(answer)
        except ValueError:
            return answer
    if isinstance(answer, dict):
        return {name: _said(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_said(value) for value in answer]
    return None if isinstance(answer, float) else answer


def _unread(mine: Sequence[Features], theirs: Sequence[Features]) -> float:
    """Infinite where two processors do not read a record alike."""
    alike = [one.inputs for one in mine] == [one.inputs for one in theirs]
    return 0.0 if alike else float("inf")


def _decoded(
    predictor: "Predictor", records: Records, features: Sequence[list[Features]], outputs: Sequence[Sequence[Outputs]]
) -> list[Prediction]:
    task, spec, processor = predictor.task, predictor.spec, predictor.processor
    return [task.decode(record, own, given, spec, processor) for record, own, given in zip(records, features, outputs, strict=True)]


def _figures(
    predictors: "tuple[Predictor, Predictor]", records: Records, one: Sequence[Prediction], other: Sequence[Prediction]
) -> dict[str, Any]:
    """The figure that decides, of both."""
    run = predictors[0]
    task = run.task
    name, direction = task.judged_by(run.spec)
    try:
        spec = task.judged_on(run.spec, records)
        mine, theirs = (
            _scored(predictor, records, answers, spec, name) for predictor, answers in zip(predictors, (one, other), strict=True)
        )
    except DataError:  # rows that hold no right answers, such as texts of one's own without a mask
        return {}
    before, now = float(mine["metrics"][name]), float(theirs["metrics"][name])
    lost = before - now if direction == "max" else now - before
    return {"metric": name, "run": before, "value": now, "lost": lost, "interval": theirs.get("intervals", {}).get(name)}


def _scored(predictor: "Predictor", records: Records, answers: Sequence[Prediction], spec: Spec, name: str) -> dict[str, Any]:
    """What a task's ``score`` says of answers; for a figure that is none of theirs, such as a perplexity, what the right answers cost."""
    found = predictor.task.score(answers, records, spec)
    if name in found["metrics"] or predictor.task.answers_by != "generate":
        return found
    return teacher_forced(predictor, records, intervals=True)


def _seconds(predictor: "Predictor", features: Sequence[list[Features]]) -> float:
    began = time.perf_counter()
    predictor.outputs(features)
    return max(time.perf_counter() - began, 1e-9)
