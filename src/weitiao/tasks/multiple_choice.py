"""Multiple choice: a question, with or without a text to read, and its options in; the best option out. Rows may differ in their number."""

import dataclasses
import json
import string
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from weitiao.config import TaskSettings, setting
from weitiao.data.language import has_spaces
from weitiao.data.options import option_columns, refuse_gaps, with_options
from weitiao.data.records import Records
from weitiao.data.schema import Schema
from weitiao.data.table import Table
from weitiao.errors import DataError
from weitiao.fields import Field
from weitiao.labels import softmax
from weitiao.messages import N_, _
from weitiao.metrics.side_by_side import side_by_side
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

QUESTION_HINTS = ("question", "query", "stem", "prompt", "goal", "ctx", "premise", "sentence", "context", "问题", "题目", "题干")
CONTEXT_HINTS = ("context", "passage", "article", "premise", "ctx", "paragraph", "文章", "上下文", "材料", "段落")
OPTION_HINTS = ("options", "choices", "endings", "candidates", "选项", "候选")
ANSWER_HINTS = ("answer", "label", "answerkey", "answer_key", "correct", "correct_answer", "gold", "答案", "标签")
FORMS = ("auto", "index", "number", "letter", "text")
_SEED = 42


@dataclasses.dataclass(frozen=True)
class MultipleChoiceSettings(TaskSettings):
    """How the answers are written."""

    answer_form: str = setting(
        "auto", N_("How an answer names its option: index counts from 0, number from 1, letter from A, text repeats it."), choices=FORMS
    )


class MultipleChoice(Task):
    """One of a question's own options, with the probability of each."""

    name = "multiple-choice"
    summary = N_("The right one of a question's options.")
    inputs = (
        Field("question", "text", N_("Question"), flag="question", hints=QUESTION_HINTS),
        Field("context", "text", N_("Context"), flag="context", hints=CONTEXT_HINTS, optional=True),
        Field("options", "choices", N_("Options"), flag="options", hints=OPTION_HINTS),
    )
    outputs = (Field("answer", "choice", N_("Answer"), flag="answer", hints=ANSWER_HINTS, varied=True),)
    settings = MultipleChoiceSettings
    headline = Headline("accuracy", "max")
    hub_tag = "multiple-choice"
    example: ClassVar[Record] = {
        "question": N_("What does a thermometer measure?"),
        "context": None,
        "options": [N_("temperature"), N_("weight"), N_("distance")],
        "answer": "0",
    }

    def head(self, spec: Spec) -> Head:
        """One logit an option, compared with those of its question's other options."""
        return Head(("AutoModelForMultipleChoice", "AutoModelForSequenceClassification"), "choice")

    def reshape(self, table: Table, settings: Any) -> Table:
        """Options in columns of their own (ending0 to ending3; A, B, C, D) become a list, as do {"text": [...], "label": [...]}."""
        names = {name.lower(): name for name in table.names}
        if {"sent1", "sent2"} <= names.keys() and not {"question", "context"} & names.keys():  # SWAG
            for name, of in (("context", names["sent1"]), ("question", names["sent2"])):
                table = table.with_column(name, table.texts(of), made_of=(of,))
        listed = settings.options or tuple(names[hint] for hint in OPTION_HINTS if hint in names)[:1]
        if len(listed) == 1:
            answers = next(iter(settings.answer), None) or next((names[hint] for hint in ANSWER_HINTS if hint in names), "")
            return with_options(table, listed[0], answers)
        if listed:
            refuse_gaps(table, listed)
            return table
        return option_columns(table)

    def prepare(self, record: dict[str, Any]) -> dict[str, Any]:
        """Options become a list of texts, the answer its index, from 0, as a text. Raises DataError where it cannot be told."""
        return _prepared(record, "auto")

    def schema(self, settings: Any) -> Schema:
        """The answers are read as ``--answer-form`` says."""

        def prepare(record: dict[str, Any]) -> dict[str, Any]:
            return _prepared({**dict.fromkeys(self.fields), **record}, settings.answer_form)

        return dataclasses.replace(super().schema(settings), prepare=prepare)

    def plain(self, record: Record) -> str:
        """Everything that is read: two rows are the same only where their options are."""
        return "\n".join([*filter(None, (record.get("context"), record["question"])), *record["options"]])

    def model_config(self, spec: Spec) -> dict[str, Any]:
        """One logit a row, where the head is a classifier's."""
        return {"num_labels": 1}

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """One Features an option: the question and the option, or the context, and the question with the option. A target is 1 for the
        right one, else 0.
        """
        first, before = (record["context"], f"{record['question']} ") if record.get("context") else (record["question"], "")
        features = [processor.text(first, before + option, max_length=max_length) for option in record["options"]]
        # The same text is cut before every option: it is lost once.
        most = max(one.cut for one in features)
        for at, one in enumerate(features):
            one.cut = most if at == 0 else 0
            if for_training:
                one.target = int(at == int(record["answer"]))
        return features

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """Softmax over the options' logits, (1,) each."""
        logits = np.array([output["logits"][0] for output in outputs], dtype=np.float64)  # (options,)
        return _prediction(record["options"], softmax(logits).tolist())

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Accuracy and the other figures of ``metrics.classification_scores``, whose classes are the options' places A, B, C: a model
        that favours a place shows there.
        """
        from weitiao.metrics import classification_scores

        options, answers = records.columns["options"], [int(answer) for answer in records.columns["answer"]]
        labels = [_letter(at) for at in range(max(map(len, options)))]
        placed = []
        for prediction, own in zip(predictions, options, strict=True):
            shares = dict.fromkeys(labels, 0.0) | {_letter(at): prediction["probabilities"][option] for at, option in enumerate(own)}
            placed.append({"label": _letter(prediction["index"]), "score": prediction["score"], "probabilities": shares})
        scores = classification_scores([_letter(answer) for answer in answers], placed, labels)
        right = [own[answer] for own, answer in zip(options, answers, strict=True)]
        likelihoods = [prediction["probabilities"][option] for prediction, option in zip(predictions, right, strict=True)]
        chosen = [prediction["label"] for prediction in predictions]
        return {**scores, "side_by_side": side_by_side(records.columns["question"], right, chosen, likelihoods)}

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """An option drawn by chance, and the one whose words are most like the question's and the context's."""
        from weitiao.baselines import tfidf_similarity

        draw = np.random.default_rng(_SEED)
        chance = []
        for options in test.columns["options"]:
            shares = np.full(len(options), 1 / len(options))
            chance.append(_prediction(options, shares.tolist(), int(draw.integers(len(options)))))
        seen = [self.plain(record) for record in train]
        pairs = [(_asked(record), option) for record in test for option in record["options"]]
        cosines = iter(tfidf_similarity(seen, pairs, spaces=has_spaces(seen)))
        alike = []
        for options in test.columns["options"]:
            weights = np.exp(10 * np.array([next(cosines) for _option in options]))
            alike.append(_prediction(options, (weights / weights.sum()).tolist()))
        return {"random": chance, "tfidf_similarity": alike}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The option, its index from 0, its probability, and every option's as JSON."""
        return {"label": "text", "index": "number", "score": "number", "probabilities": "text"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        return {**prediction, "probabilities": json.dumps(prediction["probabilities"], ensure_ascii=False)}


def _prepared(record: dict[str, Any], form: str) -> dict[str, Any]:
    if not isinstance(record["question"], str) or not record["question"].strip():
        raise DataError(_('The field "{name}" is empty.').format(name="question"), column="question")
    options = _options(record["options"])
    answer = record.get("answer")
    return {**record, "options": options} | ({} if answer is None else {"answer": str(_index(str(answer).strip(), options, form))})


def _options(given: Any) -> list[str]:
    """At least two different texts. Empty ones at the end are options that a row does not have."""
    texts = [part.strip() for part in given.split(",")] if isinstance(given, str) else [str(one).strip() for one in given or ()]
    while texts and not texts[-1]:
        texts.pop()
    if len(texts) < 2:
        raise DataError(_("There are {count} options; a choice needs at least two.").format(count=len(texts)), column="options")
    if not all(texts):
        message = _("Option {letter} is empty and a later one is not: the answer could mean either. Fill it, or move the later ones up.")
        raise DataError(message.format(letter=_letter(texts.index(""))), column="options")
    again = [text for at, text in enumerate(texts) if text in texts[:at]]
    if again:
        raise DataError(_('The option "{option}" stands there twice.').format(option=again[0][:60]), column="options")
    return texts


def _index(answer: str, options: Sequence[str], form: str) -> int:
    """Which option an answer means. Raises DataError where it is none of them, or may be several."""
    bare = answer.strip("().:")
    meant: dict[str, int] = {}
    if answer in options:
        meant["text"] = options.index(answer)
    if len(bare) == 1 and bare.upper() in string.ascii_uppercase:
        meant["letter"] = string.ascii_uppercase.index(bare.upper())
    whole = answer.removesuffix(".0")  # a column with a gap became fractional on its way through a table program
    if whole.isascii() and whole.isdigit():
        meant["index"], meant["number"] = int(whole), int(whole) - 1
    # Counting from 1 is for the user to say: nothing in a row would show it.
    readings = {name: at for name, at in meant.items() if 0 <= at < len(options) and (name == form if form != "auto" else name != "number")}
    if len(set(readings.values())) == 1:
        return next(iter(readings.values()))
    if not readings:
        message = _('The answer "{answer}" is none of the {count} options: allowed are 0 to {last}, A to {letter}, or the text of one.')
        message = message.format(answer=answer[:60], count=len(options), last=len(options) - 1, letter=_letter(len(options) - 1))
        if form != "auto":
            message = _('The answer "{answer}" is none of the {count} options when read as --answer-form {form}.')
            message = message.format(answer=answer[:60], count=len(options), form=form)
        elif meant.get("number") == len(options) - 1:
            message += " " + _("If the file counts from 1, say --answer-form number.")
        raise DataError(message, column="answer")
    message = _('The answer "{answer}" may mean option {letters}. Say how answers are written: --answer-form {forms}.')
    letters = _(" or ").join(sorted({_letter(at) for at in readings.values()}))
    raise DataError(message.format(answer=answer[:60], letters=letters, forms=_(" or ").join(readings)), column="answer")


def _letter(at: int) -> str:
    """A, B, ... and plain numbers from 1 after Z."""
    return string.ascii_uppercase[at] if at < len(string.ascii_uppercase) else str(at + 1)


def _asked(record: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (record.get("context"), record["question"])))


def _prediction(options: Sequence[str], shares: Sequence[float], chosen: int | None = None) -> Prediction:
    """The likeliest option, of equally likely ones the first, where none was chosen."""
    best = int(np.argmax(shares)) if chosen is None else chosen
    return {"label": options[best], "index": best, "score": shares[best], "probabilities": dict(zip(options, shares, strict=True))}


task = MultipleChoice()
