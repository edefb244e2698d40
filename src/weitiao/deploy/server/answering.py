"""Records become answers: the part of a worker that knows a predictor, and no process and no HTTP."""

import base64
import binascii
import json
import tempfile
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from weitiao import asking
from weitiao.deploy.server.schemas import example_record
from weitiao.errors import DataError, ModelError, UsageError, WeitiaoError
from weitiao.messages import _
from weitiao.tasks.base import Prediction

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor
    from weitiao.processing import Features

Form = Literal["json", "vector", "base64"]


class Asked(NamedTuple):
    """A record and how its answer is to be written.

    Attributes:
        at: its place in its request, from 0.
    """

    record: Mapping[str, Any]
    at: int = 0
    form: Form = "json"


class Answer(NamedTuple):
    """What became of a record.

    Attributes:
        state: "done"; "refused", where the record is at fault; "failed".
        text: the answer as JSON, or what is wrong.
        tokens: that were read.
        field: the input that is at fault, "" where that is not known.
    """

    state: Literal["done", "refused", "failed"]
    text: str
    tokens: int = 0
    field: str = ""


class Answerer:
    """A predictor that answers many records at once, each for itself: one that cannot be answered spoils no other."""

    def __init__(self, predictor: "Predictor") -> None:
        self.predictor = predictor
        self._reading = threading.Lock()  # a tokenizer is set up anew for each way of cutting, so one at a time

    def answer(self, asked: Sequence[Asked]) -> list[Answer]:
        """One answer for each, in order."""
        answers: list[Answer | None] = [None] * len(asked)
        with tempfile.TemporaryDirectory(prefix="weitiao-") as pictures:
            read: dict[int, tuple[dict[str, Any], list[Features]]] = {}
            for at, one in enumerate(asked):
                try:
                    read[at] = self._read(one, Path(pictures) / str(at))
                except Exception as error:
                    answers[at] = _refusal(error, one)
            for at, answer in self._decoded(asked, read).items():
                answers[at] = answer
            # Where a picture lay is nobody's business.
            answers = [
                answer and answer._replace(text=answer.text.replace(f"{Path(pictures) / str(at)}", "…"))
                for at, answer in enumerate(answers)
            ]
        return [answer for answer in answers if answer is not None]

    def stream(
        self, record: Mapping[str, Any], arguments: Mapping[str, Any], stop: Sequence[str]
    ) -> Generator[str | dict[str, Any], None, None]:
        """What a model writes, piece by piece, and last how it ended: {"prompt_tokens", "completion_tokens", "finish_reason"}.

        Args:
            arguments: of transformers' ``generate``.
            stop: texts before which the answer ends.
        """
        read, (features,) = self._read(Asked(record), Path())
        written = 0

        def wrote(tokens: int) -> None:
            nonlocal written
            written = tokens

        with closing(before_stops(self._pieces(read, features, arguments, wrote), stop)) as pieces:
            yield from pieces
        most = arguments.get("max_new_tokens") or self.predictor.spec.get("max_new_tokens") or 0
        full = bool(most) and written >= most
        yield {"prompt_tokens": len(features), "completion_tokens": written, "finish_reason": "length" if full else "stop"}

    def _pieces(
        self, record: Mapping[str, Any], features: "Features", arguments: Mapping[str, Any], wrote: Callable[[int], None]
    ) -> Iterator[str]:
        """What the backend writes, as it writes it; all at once where it can only write whole answers."""
        backend: Any = self.predictor.backend
        if hasattr(backend, "stream"):
            yield from backend.stream(features, arguments, wrote)
            return
        if arguments:
            message = _("This model writes as it was set up when it was exported; leave out {settings}.")
            raise UsageError(message.format(settings=_(", ").join(arguments)))
        (answer,) = self._decoded([Asked(record)], {0: (dict(record), [features])}).values()
        if answer.state != "done":
            raise ModelError(answer.text)
        text = json.loads(answer.text)["text"]
        with self._reading:
            wrote(len(self.predictor.processor.ids(text)))  # as a rule as many as were written
        yield text

    def _read(self, one: Asked, pictures: Path) -> "tuple[dict[str, Any], list[Features]]":
        task, spec = self.predictor.task, self.predictor.spec
        record = {**one.record}
        for field in task.inputs:
            if field.type == "image" and record.get(field.name) is not None:
                record[field.name] = _picture(record[field.name], pictures, field.name)
        record = asking.as_record(task, spec, record, one.at, {})
        with self._reading:
            return record, self.predictor.encode(record)

    def _decoded(self, asked: Sequence[Asked], read: "Mapping[int, tuple[dict[str, Any], list[Features]]]") -> dict[int, Answer]:
        """The answers of what was read: together, or where that fails each for itself."""
        if not read:
            return {}
        try:
            outputs = self.predictor.outputs([features for _record, features in read.values()])
        except Exception as error:
            if len(read) == 1:
                return {at: _refusal(error, asked[at]) for at in read}
            return {at: answer for at, one in read.items() for answer in self._decoded(asked, {at: one}).values()}
        answers = {}
        for (at, (record, features)), own in zip(read.items(), outputs, strict=True):
            try:
                with self._reading:
                    predictor = self.predictor
                    prediction = predictor.task.decode(record, features, own, predictor.spec, predictor.processor)
                tokens = sum(one.positions for one in features)
                answers[at] = Answer("done", written(prediction, asked[at].form), tokens)
            except Exception as error:
                answers[at] = _refusal(error, asked[at])
        return answers


def facts(answerer: Answerer, language: str = "en") -> dict[str, Any]:
    """What a server says of a model once it is loaded: {"labels", "max_length", "example", "answer"}. Answering also warms it up.

    Args:
        language: of the texts that it was made for, ISO 639-1; its example is in English or in Chinese.
    """
    predictor = answerer.predictor
    example = example_record(predictor.task, predictor.spec, language)
    answer: dict[str, Any] | None = None
    if predictor.task.answers_by == "generate":
        # A whole answer may take a minute.
        few = {"max_new_tokens": 4} if hasattr(predictor.backend, "stream") else {}
        answer = {"text": "".join(piece for piece in answerer.stream(example, few, ()) if isinstance(piece, str))}
    else:
        for _again in range(2):
            (given,) = answerer.answer([Asked(example)])
            answer = json.loads(given.text) if given.state == "done" else None
    return {"labels": predictor.spec.get("labels"), "max_length": predictor.max_length, "example": example, "answer": answer}


def written(prediction: Prediction, form: Form) -> str:
    """A prediction as JSON; of a vector alone its numbers, or the base64 of single-precision ones.

    >>> written({"label": "好评", "_kept": 1}, "json"), written({"vector": [1.0]}, "base64")
    ('{"label": "好评"}', '"AACAPw=="')
    """
    if form == "vector":
        return json.dumps(prediction["vector"], allow_nan=False)
    if form == "base64":
        return json.dumps(base64.b64encode(np.asarray(prediction["vector"], dtype="<f4").tobytes()).decode("ascii"))
    public = {name: value for name, value in prediction.items() if not name.startswith("_")}
    return json.dumps(public, ensure_ascii=False, allow_nan=False)


def before_stops(pieces: Iterator[str], stops: Sequence[str]) -> Generator[str, None, None]:
    """Pieces of a text up to the first of some texts that end it. What may be the beginning of such a text is held back.

    >>> list(before_stops(iter(["one", ". t", "wo E", "ND three"]), ["END"])), list(before_stops(iter(["a", "E"]), ["END"]))
    (['o', 'ne.', ' two', ' '], ['aE'])
    """
    hold = max((len(stop) for stop in stops), default=1) - 1
    held = ""
    for piece in pieces:
        held += piece
        found = [place for stop in stops if (place := held.find(stop)) >= 0]
        if found:
            if min(found):
                yield held[: min(found)]
            return
        if ready := held[: len(held) - hold]:
            yield ready
            held = held[len(ready) :]
    if held:
        yield held


def _refusal(error: Exception, asked: Asked) -> Answer:
    """What to say of a record that could not be answered: whose fault it is, and where."""
    if isinstance(error, (DataError, UsageError)):
        column = getattr(error, "column", None) or ""
        return Answer("refused", error.message, field=column if column in asked.record else "")
    if isinstance(error, WeitiaoError):
        return Answer("failed", error.message)
    # Without the message: it may quote what was asked.
    where = "".join(traceback.format_tb(error.__traceback__)[-3:])
    return Answer("failed", f"{type(error).__name__}\n{where}")


def _picture(encoded: str, path: Path, name: str) -> str:
    """Base64 -> the path of a picture's file. Raises DataError for what is not base64."""
    try:
        path.write_bytes(base64.b64decode(encoded.partition(";base64,")[2] or encoded, validate=True))
    except (binascii.Error, ValueError):
        message = _("a picture is sent as the base64 of its file, and this is not base64.")
        raise DataError(message, column=name) from None
    return str(path)
