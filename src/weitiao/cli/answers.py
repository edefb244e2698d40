"""``weitiao predict``: where the texts come from and how the predictions leave. It streams: a million lines in, a million out, none kept.
It knows no model.
"""

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from weitiao.cli.screen import Screen, to_json
from weitiao.cli.subject import Subject
from weitiao.data.ledger import Ledger
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.quantities import some
from weitiao.tasks.base import Task

T = TypeVar("T")

# Few enough that the first answers come soon, enough that the model's batches are full.
CHUNK = 512
OUT = ("--out", "predictions.csv")


def predict_texts(screen: Screen, subject: Subject, texts: Iterable[str], given: Mapping[str, Any]) -> None:
    """Predict texts in order and print them: tables for people, one object for ``--json``, the bare answers, one a line, for ``--quiet``.
    Lines without text are left out and named.

    Args:
        texts: values of the first input, or whole records as JSON objects.
        given: values of further inputs, the same for all.
    """
    from weitiao.cli.predictions import predictions
    from weitiao.cli.progress import LOADING, working

    blank: list[int] = []
    waiting = Spool() if screen.json else None
    pieces = chunks(_inputs(texts, blank, subject.task))
    first = next(pieces, None)
    if first is None:
        raise UsageError(_("There is no text in what was given. Give one: {command}").format(command=subject.asked_by("predict")))
    # The spinner turns while the model loads; from then on the answers themselves show that it goes on.
    with working(screen, first=_(LOADING)) as (api, observer):
        model = api.load(subject.name, **subject.loading)
        if "precision" in subject.loading:
            model.ready(1, observer)  # says what was decided
        answered = model.predict(first, **given)
    rows = 0
    batches = chain([(first, answered)], ((piece, model.predict(piece, **given)) for piece in pieces))
    for at, (chunk, answers) in enumerate(batches):
        rows += len(answers)
        if waiting is not None:
            waiting.write(answers)
        elif screen.quiet:
            for answer in answers:
                print(bare_answer(answer, subject.task))
        else:
            shown = [shown_input(value, subject.task) for value in chunk]
            width = screen.out.width if screen.out.is_terminal else None
            seconds = [second_input(value, subject.task, given) for value in chunk]
            for drawn in predictions(shown, answers, width=width, header=at == 0, seconds=seconds if any(seconds) else ()):
                screen.whole.print(drawn)
    if waiting is not None:
        waiting.print(truncated=model.truncated)
    model.warn_of_cut(model.truncated, rows, observer)
    if blank:
        screen.note(_("Lines without text were left out: {lines}.").format(lines=some(blank, 10)))
    screen.next(("weitiao", "predict", subject.name, *subject.flags, "--file", "DATA", *OUT))


def predict_file(screen: Screen, subject: Subject, file: str, out: str | None) -> None:
    """Predict a file's rows into another, or as JSON Lines onto standard output; ``--json`` adds what happened to rows."""
    from weitiao.cli.progress import LOADING, working
    from weitiao.cli.tables import pairs

    reading = subject.of_file()
    if out is not None:
        with working(screen, results=True, first=_(LOADING)) as (api, observer):
            done = api.load(subject.name, **subject.loading).predict_file(file, Path(out), observer=observer, **reading)
        speed = _("{count:,.0f} rows/s").format(count=done["rows_per_s"]) if done.get("rows_per_s") else ""
        lines = {_("predictions"): str(done["out"]), _("rows"): f"{done['rows']:,}", _("speed"): speed}
        screen.result(done, pairs({name: value for name, value in lines.items() if value}), bare=str(done["out"]))
        measured = ("evaluate", subject.name, "DATA", *subject.flags)
        return screen.next(("weitiao", *(measured if subject.measurable else ("report", subject.name))))
    waiting, ledger = Spool() if screen.json else None, Ledger()
    # Bars on the terminal that the answers are printed to would run through them.
    silent = screen.out.is_terminal
    with working(Screen(quiet=True) if silent else screen, results=True) as (api, observer):
        for batch in api.load(subject.name, **subject.loading).predict_rows(file, observer=observer, ledger=ledger, **reading):
            for row in batch:
                _print_line(row.flat) if waiting is None else waiting.write_one(row.flat)
    if waiting is not None:
        waiting.print(ledger=ledger.counts())
    return screen.next(("weitiao", "predict", subject.name, *subject.flags, "--file", file, *subject.reading_flags, *OUT))


class Spool:
    """Predictions that wait in a file until all is well, so that ``--json`` prints one whole object or none, from no more memory than
    a line.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - lives as long as this object

    def write(self, predictions: Iterable[Mapping[str, Any]]) -> None:
        """Add predictions."""
        for prediction in predictions:
            self.write_one(prediction)

    def write_one(self, prediction: Mapping[str, Any]) -> None:
        """Add a prediction."""
        self._file.write(to_json(prediction) + "\n")

    def print(self, **beside: Any) -> None:
        """Print {"predictions": [...]}, with what else there is to say, and forget them."""
        self._file.seek(0)
        sys.stdout.write('{"predictions": [')
        for at, line in enumerate(self._file):
            sys.stdout.write((", " if at else "") + line.rstrip("\n"))
        more = "".join(f", {to_json(name)}: {to_json(value)}" for name, value in beside.items())
        sys.stdout.write(f"]{more}}}\n")
        self._file.close()


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Values in lists of at most ``size``.

    >>> list(chunks("abc", 2))
    [['a', 'b'], ['c']]
    """
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk


def as_input(text: str, task: Task) -> str | dict[str, Any]:
    """A text as it stands, or the record that it spells where the task's records are more than a text.

    >>> from weitiao import tasks
    >>> as_input('{"question": "Who?", "context": "It was Ann."}', tasks.get("question-answering"))
    {'question': 'Who?', 'context': 'It was Ann.'}
    """
    first = task.inputs[0]
    if text.lstrip()[:1] not in ("{", "[") or (len(task.inputs) == 1 and first.type != "messages"):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, dict):
        return value if any(field.name in value for field in task.inputs) else text
    return {first.name: value} if first.type == "messages" else text


def bare_answer(prediction: Mapping[str, Any], task: Task) -> str:
    """The answer alone on one line, as a script takes it: what stands in the first of the columns that it becomes in a file.

    >>> from weitiao import tasks
    >>> bare_answer({"label": "good", "score": 0.75, "probabilities": {"good": 0.75, "bad": 0.25}}, tasks.get("text-classification"))
    'good'
    """
    headline = next(iter(task.flat(dict(prediction)).values()), None)
    return "" if headline is None else " ".join(str(headline).split())


def shown_input(value: str | Mapping[str, Any], task: Task) -> str:
    """What people recognise an input by: its first field, of a conversation the last message."""
    first = value if isinstance(value, str) else value.get(task.inputs[0].name)
    if isinstance(first, list) and first and isinstance(first[-1], Mapping):
        return str(first[-1].get("content", first[-1]))
    return "" if first is None else str(first)


def second_input(value: str | Mapping[str, Any], task: Task, given: Mapping[str, Any]) -> str:
    """The text that the first one is compared with, "" where there is none.

    >>> from weitiao import tasks
    >>> second_input("a", tasks.get("regression"), {"pair": "b"}), second_input("a", tasks.get("fill-mask"), {})
    ('b', '')
    """
    second = {**given, **(value if isinstance(value, Mapping) else {})}.get(task.inputs[0].second)
    return "" if second is None else str(second)


def _inputs(lines: Iterable[str], blank: list[int], task: Task) -> Iterator[str | dict[str, Any]]:
    """The lines that hold text, without their ends; the numbers of the others go to ``blank``."""
    for at, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if text.strip():
            yield as_input(text, task)
        else:
            blank.append(at)


def _print_line(line: Mapping[str, Any]) -> None:
    print(to_json(line))
