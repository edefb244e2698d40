"""``weitiao predict``: where the texts come from and how the predictions leave. It streams: a million lines in, a million out, none kept.
It knows no model.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from weitiao.cli.screen import Screen, to_json
from weitiao.errors import UsageError
from weitiao.messages import _

# Few enough that the first answers come soon, enough that the model's batches are full.
CHUNK = 512


def predict_texts(screen: Screen, path: str, texts: Iterable[str]) -> None:
    """Predict texts in order and print them: tables for people, one object for ``--json``. Lines without text are left out and named."""
    from weitiao.cli import figures
    from weitiao.cli.progress import working

    blank: list[int] = []
    waiting = Spool() if screen.json else None
    pieces = chunks(_texts(texts, blank))
    first = next(pieces, None)
    if first is None:
        raise UsageError(_('Standard input holds no text. Give one: weitiao predict {run} "a lovely day"').format(run=path))
    # The spinner turns while the model loads; from then on the answers themselves show that it goes on.
    with working(screen) as (api, _observer):
        run = api.load(path)
        answers = run.predict(first)
    for at, (chunk, predictions) in enumerate(chain([(first, answers)], ((piece, run.predict(piece)) for piece in pieces))):
        if waiting is not None:
            waiting.write(predictions)
        else:
            screen.out.print(figures.predictions(chunk, predictions, width=screen.out.width, header=at == 0))
    if waiting is not None:
        waiting.print()
    if blank:
        listed = ", ".join(map(str, blank[:10])) + (", …" if len(blank) > 10 else "")
        screen.note(_("Lines without text were left out: {lines}.").format(lines=listed))
    screen.next(("weitiao", "predict", path, "--file", "DATA", "--out", "predictions.csv"))


def predict_file(screen: Screen, path: str, file: str, out: str | None, reading: Mapping[str, Any]) -> None:
    """Predict a file's rows into another, or as JSON Lines onto standard output."""
    from weitiao.cli.progress import working
    from weitiao.cli.tables import pairs

    if out is not None:
        with working(screen, results=True) as (api, observer):
            done = api.load(path).predict_file(file, Path(out), observer=observer, **reading)
        speed = _("{count:,.0f} rows/s").format(count=done["rows_per_s"]) if done.get("rows_per_s") else ""
        lines = {_("predictions"): str(done["out"]), _("rows"): f"{done['rows']:,}", _("speed"): speed}
        screen.result(done, pairs({name: value for name, value in lines.items() if value}), path=str(done["out"]))
        return screen.next(("weitiao", "evaluate", path, "DATA"))
    waiting = Spool() if screen.json else None
    # Bars on the terminal that the answers are printed to would run through them.
    silent = screen.out.is_terminal
    with working(Screen(quiet=True) if silent else screen, results=True) as (api, observer):
        for batch in api.load(path).predict_rows(file, observer=observer, **reading):
            for row, _answered in batch:
                _print_line(row) if waiting is None else waiting.write_one(row)
    if waiting is not None:
        waiting.print()
    return screen.next(("weitiao", "predict", path, "--file", file, "--out", "predictions.csv"))


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

    def print(self) -> None:
        """Print {"predictions": [...]} and forget them."""
        self._file.seek(0)
        sys.stdout.write('{"predictions": [')
        for at, line in enumerate(self._file):
            sys.stdout.write((", " if at else "") + line.rstrip("\n"))
        sys.stdout.write("]}\n")
        self._file.close()


def chunks(texts: Iterable[str], size: int = CHUNK) -> Iterator[list[str]]:
    """Texts in lists of at most ``size``.

    >>> list(chunks("abc", 2))
    [['a', 'b'], ['c']]
    """
    remaining = iter(texts)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _texts(lines: Iterable[str], blank: list[int]) -> Iterator[str]:
    """The lines that hold text, without their ends; the numbers of the others go to ``blank``."""
    for at, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if text.strip():
            yield text
        else:
            blank.append(at)


def _print_line(line: Mapping[str, Any]) -> None:
    print(to_json(line))
