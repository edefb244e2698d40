"""Extractive question answering: a question and a text in, the stretch of the text that answers it out, or nothing where none does."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TextIO

import numpy as np

from weitiao.config import TaskSettings, setting
from weitiao.data.answer_notations import answer_spans, with_starts
from weitiao.data.language import has_spaces
from weitiao.data.records import Records
from weitiao.data.squad import squad_table
from weitiao.data.table import Table
from weitiao.errors import DataError, UsageError
from weitiao.fields import Field
from weitiao.messages import N_, _
from weitiao.metrics.answers import answer_scores, best_of
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Remark, Spec, Task

QUESTION_HINTS = ("question", "query", "q", "问题", "提问", "问句")
CONTEXT_HINTS = ("context", "passage", "paragraph", "document", "article", "text", "上下文", "文章", "段落", "篇章", "原文", "正文")
ANSWER_HINTS = ("answers", "answer", "answer_text", "span", "答案", "回答")
START_HINTS = ("answer_start", "answer_starts", "start", "start_position", "答案起始", "起始位置")
CANDIDATES = 20  # spans of each window that compete, as in transformers' run_qa

_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_SENTENCES = re.compile(r"[^\s。！？；](?:[^.!?。！？；\n]|[.!?](?=\S))*[.!?。！？；]?")


@dataclasses.dataclass(frozen=True)
class QuestionAnsweringSettings(TaskSettings):
    """How windows are cut and answers chosen."""

    doc_stride: int = setting(128, N_("Tokens that neighbouring windows of a long text share."), low=0, high=100_000)
    max_answer_length: int = setting(30, N_("Longest answer in tokens."), low=1, high=10_000)
    top_k: int = setting(1, N_("How many answers to give."), low=1, high=CANDIDATES)
    null_threshold: str = setting(
        "auto", N_("No answer is given where its score exceeds the best answer's by this (auto = tuned on validation).")
    )


class Span(NamedTuple):
    """A stretch of the context: its score, the sum of two logits, and its characters."""

    score: float
    start: int
    end: int


class QuestionAnswering(Task):
    """Where in the context the answer stands, with its score."""

    name = "question-answering"
    aliases = ("qa", "extractive-question-answering")
    summary = N_("The stretch of a text that answers a question.")
    inputs = (
        Field("question", "text", N_("Question"), flag="question", hints=QUESTION_HINTS),
        Field("context", "text", N_("Context"), flag="context", hints=CONTEXT_HINTS, shared=True),
    )
    # Optional, because an empty cell is an answer too: there is none.
    outputs = (Field("answers", "spans", N_("Answers"), flag="answer", hints=ANSWER_HINTS, optional=True),)
    settings = QuestionAnsweringSettings
    headline = Headline("f1", "max")
    hub_tag = "question-answering"
    max_length = 384
    windowed = True
    example: ClassVar[Record] = {
        "question": N_("When was the bridge opened?"),
        "context": N_("The old bridge over the river was opened in 1894. It has carried two railway tracks ever since."),
        "answers": [{"text": "1894", "start": 44}],
    }

    def head(self, spec: Spec) -> Head:
        """Two logits a token: here it starts, here it ends."""
        return Head(("AutoModelForQuestionAnswering",), "span")

    def read(self, path: Path, open_text: Callable[[], TextIO]) -> Table | None:
        """SQuAD's JSON."""
        return squad_table(path, open_text) if path.suffix.lower() == ".json" else None

    def reshape(self, table: Table, settings: Any) -> Table:
        """A column of starts ("answer_start") goes into the answers that it belongs to."""
        names = {name.lower(): name for name in table.names}
        answers = next(iter(settings.answer), None) or next((names[hint] for hint in ANSWER_HINTS if hint in names), None)
        starts = next((names[hint] for hint in START_HINTS if hint in names), None)
        if answers not in table.columns or starts is None or starts == answers:
            return table
        cells = [with_starts(answer, start) for answer, start in zip(table.texts(answers), table.texts(starts), strict=True)]
        note = _('The answers of "{answers}" start where "{starts}" says.').format(answers=answers, starts=starts)
        return table.with_column(answers, cells, note, made_of=(answers, starts))

    def prepare(self, record: dict[str, Any]) -> dict[str, Any]:
        """Answers become [{"text", "start"}]; [] and None say that there is none.

        Raises DataError where the question or the context is empty, or the context does not hold the answer.
        """
        for name in ("question", "context"):
            if not isinstance(record[name], str) or not record[name].strip():
                raise DataError(_('The field "{name}" is empty.').format(name=name), column=name)
        if record.get("answers") is None:  # an empty cell: there is no answer; or the file does not say
            return record
        spans, moved = answer_spans(record["answers"], record["context"])
        prepared = {**record, "answers": spans}
        if moved:
            detail = _('"{text}" starts at {start}.').format(text=moved[0]["text"][:60], start=moved[0]["start"])
            prepared["repaired"] = {"answer_start": detail}
        return prepared

    def learn(self, records: Records, settings: Any) -> Spec:
        """Whether questions may have no answer, and how windows are cut and answers chosen."""
        if not any(records.columns.get("answers", ())):
            message = _("{file}: no row has an answer. Name its column with --answer NAME.")
            raise DataError(message.format(file=records.source), file=records.source)
        return _spec(settings, unanswerable=not all(records.columns["answers"]))

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The settings; questions without an answer are thought of only where ``--null-threshold`` is given."""
        return _spec(settings, unanswerable=False)

    def adjusted(self, spec: Spec, given: Mapping[str, Any]) -> Spec:
        """See ``Task``; "auto" keeps the threshold that validation rows gave."""
        threshold = _threshold(given.get("null_threshold", "auto"))
        kept = {"null_threshold": spec["null_threshold"]} if threshold is None else {"unanswerable": True, "null_threshold": threshold}
        return {**super().adjusted(spec, given), **kept}

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """Windows of the context, the question before each. A target is (first, last) token of the answer (of several right ones, the first
        that a window holds); in a window that does not hold the whole of it, and where there is none, it is twice the position that stands
        for no answer. None for training where no window holds an answer that there is: they would teach that there is none.
        """
        question = record["question"].strip()
        windows = processor.windows(question, record["context"], max_length=max_length, stride=spec["doc_stride"])
        if not for_training:
            return windows
        there = _located(record)
        held = ([_target(window, answer) for window in windows] for answer in there)
        targets = next((found for found in held if any(found)), None)
        if there and targets is None:
            return []
        for window, target in zip(windows, targets or [None] * len(windows), strict=True):
            window.target = target or (_null(window, processor),) * 2
        return windows

    def remark(self, record: Record, features: Sequence[Features], spec: Spec, *, max_length: int) -> Remark | None:
        """An answer that no window holds, or one longer than any that ``decode`` gives."""
        there = _located(record)
        if there and not features:
            message = _(
                'The answer "{answer}" stands whole in no window of {limit} tokens, so the question is not learned. A larger '
                "--max-length or --doc-stride keeps it."
            )
            return Remark("dropped", "answer_in_no_window", message.format(answer=there[0]["text"][:60], limit=max_length))
        longest = max((last - first + 1 for first, last in (window.target for window in features if window.target)), default=0)
        if there and longest > spec["max_answer_length"]:
            message = _("The answer is {count} tokens long, and none over --max-answer-length {limit} is ever given.")
            return Remark("kept", "long_answer", message.format(count=longest, limit=spec["max_answer_length"]))
        return None

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """The best spans of all windows, no two with the same text, their scores a softmax over all that compete.

        "answer" is "" where there is none, with ``start`` and ``end`` None. Where questions may have no answer, "null_odds" is by how much
        no answer beats the best span, which is "best_span".
        """
        best: dict[str, Span] = {}
        for window, logits in zip(features, outputs, strict=True):
            for span in _spans(window, logits, record["context"], spec["max_answer_length"]):
                text = record["context"][span.start : span.end]
                if text not in best or span.score > best[text].score:
                    best[text] = span
        spans = sorted(best.values(), key=lambda span: (-span.score, span.start))
        nulls = [
            float(logits["start_logits"][at] + logits["end_logits"][at])
            for logits, at in ((logits, _null(window, processor)) for window, logits in zip(features, outputs, strict=True))
        ]
        # As in SQuAD 2's baselines: a question is as unanswerable as its most promising window says.
        null = min(nulls)
        if not spans:
            return _prediction([_answer("", None, None, 1.0)], spec["unanswerable"] and {"null_odds": 0.0, "best_span": ""})
        scores = np.array([span.score for span in spans] + [null] * spec["unanswerable"], dtype=np.float64)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        answers = [
            _answer(record["context"][span.start : span.end], span.start, span.end, float(share))
            for span, share in zip(spans, shares, strict=False)
        ]
        if not spec["unanswerable"]:
            return _prediction(answers[: spec["top_k"]])
        odds = null - spans[0].score
        none = _answer("", None, None, float(shares[-1]))
        if odds > (spec["null_threshold"] or 0.0):
            ranked = [none, *answers]
        else:
            ranked = [answers[0], *sorted([*answers[1:], none], key=lambda one: -float(one["score"]))]
        return _prediction(ranked[: spec["top_k"]], {"null_odds": odds, "best_span": answers[0]["answer"]})

    def calibrate(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> Spec:
        """The threshold for no answer that gives the best F1, where there are unanswerable questions and it was not given."""
        if not spec["unanswerable"] or spec["null_threshold"] is not None or all(records.columns["answers"]):
            return spec
        odds = np.array([prediction["null_odds"] for prediction in predictions])
        wanted, spaces = _references(records), _spaces(records)
        pairs = zip(predictions, wanted, spaces, strict=True)
        spanned = np.array([best_of(one["best_span"], texts, spaces=spaced)[1] for one, texts, spaced in pairs])
        silent = np.array([float(not texts) for texts in wanted])
        return {**spec, "null_threshold": _best_threshold(odds, spanned, silent)}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Exact match and F1 by SQuAD's rules, by CMRC's where the context's language has no spaces; see ``metrics.answers``."""
        if "answers" not in records.columns:
            message = _("{file}: no column holds the answers. Name it with --answer NAME.")
            raise DataError(message.format(file=records.source), file=records.source)
        answers = [prediction["answer"] for prediction in predictions]
        return answer_scores(answers, _references(records), _spaces(records), questions=records.columns["question"])

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """No answer, always, where that can be right; and the sentence that shares most words with the question."""
        silent = {"no_answer": [_prediction([_answer("", None, None, 1.0)])] * len(test)} if spec["unanswerable"] else {}
        pairs = zip(test.columns["question"], test.columns["context"], strict=True)
        return {**silent, "likest_sentence": [_prediction([_likest_sentence(*pair)]) for pair in pairs]}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The answer, its score and its characters; the odds of no answer where that can be; all answers as JSON."""
        columns: dict[str, Literal["text", "number"]] = {"answer": "text", "score": "number", "start": "number", "end": "number"}
        return columns | ({"null_odds": "number"} if spec["unanswerable"] else {}) | {"answers": "text"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        flat = {name: prediction[name] for name in ("answer", "score", "start", "end")}
        odds = {"null_odds": prediction["null_odds"]} if "null_odds" in prediction else {}
        return flat | odds | {"answers": json.dumps(prediction["answers"], ensure_ascii=False)}


def _spec(settings: Any, *, unanswerable: bool) -> Spec:
    threshold = _threshold(settings.null_threshold)
    return {
        "doc_stride": settings.doc_stride,
        "max_answer_length": settings.max_answer_length,
        "top_k": settings.top_k,
        "unanswerable": unanswerable or threshold is not None,
        "null_threshold": threshold,
    }


def _threshold(given: str) -> float | None:
    """The number that was given, None for "auto"."""
    try:
        return None if given == "auto" else float(given)
    except ValueError:
        raise UsageError(_("--null-threshold is {value}; it must be a number, or auto.").format(value=given)) from None


def _null(window: Features, processor: Processor) -> int:
    """The position that stands for no answer: the classifier's token, the first one where there is none."""
    classifier = processor.special("cls")
    ids = window.inputs["input_ids"]
    return ids.index(classifier[1]) if classifier and classifier[1] in ids else 0


def _inside(window: Features) -> np.ndarray:
    """(length,) whether a token is of the context, and of some of its characters."""
    return np.array([part == 1 and end > start for part, (start, end) in zip(window.parts, window.offsets, strict=True)], dtype=bool)


def _located(record: Record) -> list[Mapping[str, Any]]:
    """The answers of which it is known where they stand."""
    return [span for span in record["answers"] or () if span["start"] is not None]


def _target(window: Features, answer: Mapping[str, Any]) -> tuple[int, int] | None:
    """(first, last) token of an answer, None where the window does not hold all of it."""
    start, end = answer["start"], answer["start"] + len(answer["text"])
    tokens = np.flatnonzero(_inside(window))
    touched = [int(at) for at in tokens if window.offsets[at][0] < end and window.offsets[at][1] > start]
    if not touched or window.offsets[touched[0]][0] > start or window.offsets[touched[-1]][1] < end:
        return None
    return touched[0], touched[-1]


def _spans(window: Features, logits: Outputs, context: str, longest: int) -> list[Span]:
    """The best spans of a window, white space around them left out."""
    inside = _inside(window)
    starts, ends = (np.where(inside, logits[name].astype(np.float64), -np.inf) for name in ("start_logits", "end_logits"))  # (length,)
    length = len(starts)
    longest = min(longest, length)
    sums = np.full((longest, length), -np.inf)  # row n: spans of n + 1 tokens, by their first
    for extra in range(longest):
        sums[extra, : length - extra] = starts[: length - extra] + ends[extra:]
    flat = sums.ravel()
    chosen = np.argpartition(-flat, min(CANDIDATES, flat.size) - 1)[:CANDIDATES]
    spans = []
    for at in chosen[np.isfinite(flat[chosen])].tolist():
        extra, first = divmod(at, length)
        start, end = window.offsets[first][0], window.offsets[first + extra][1]
        text = context[start:end]
        start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
        if start < end:
            spans.append(Span(float(flat[at]), start, end))
    return spans


def _best_threshold(odds: np.ndarray, spanned: np.ndarray, silent: np.ndarray) -> float:
    """The threshold with the best mean F1; of equally good ones the nearest to 0.

    Args:
        odds, spanned, silent: (rows,) by how much no answer wins, the F1 of the best span, the F1 of no answer.
    """
    order = np.argsort(odds, kind="stable")
    sorted_odds = odds[order]
    gained = np.concatenate([[0.0], np.cumsum((spanned - silent)[order])])  # the first n rows, by their odds, are answered
    bounds = np.concatenate([[sorted_odds[0] - 1.0], (sorted_odds[1:] + sorted_odds[:-1]) / 2, [sorted_odds[-1] + 1.0]])
    # Between equal odds there is no threshold.
    parts = np.concatenate([[True], sorted_odds[1:] > sorted_odds[:-1], [True]])
    best = np.flatnonzero(parts & (gained >= gained[parts].max() - 1e-9))
    return float(bounds[best[np.abs(bounds[best]).argmin()]])


def _references(records: Records) -> list[list[str]]:
    return [[span["text"] for span in answers or ()] for answers in records.columns["answers"]]


def _spaces(records: Records) -> list[bool]:
    return [has_spaces([context]) for context in records.columns["context"]]


def _likest_sentence(question: str, context: str) -> dict[str, Any]:
    """The context's sentence that shares most words (or Chinese characters) with the question, of equally good ones the first."""
    words = set(_WORDS.findall(question.lower()))
    best = _answer("", None, None, -1.0)
    for sentence in _SENTENCES.finditer(context):
        shared = len(words & set(_WORDS.findall(sentence.group().lower()))) / max(1, len(words))
        if shared > best["score"]:
            best = _answer(sentence.group(), sentence.start(), sentence.end(), shared)
    return best


def _answer(text: str, start: int | None, end: int | None, score: float) -> dict[str, Any]:
    return {"answer": text, "score": score, "start": start, "end": end}


def _prediction(answers: list[dict[str, Any]], more: dict[str, Any] | Literal[False] = False) -> Prediction:
    """The first of the answers, and all of them."""
    return {**answers[0], "answers": answers, **(more or {})}


task = QuestionAnswering()
