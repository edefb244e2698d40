"""The tab that answers a whole file: upload, progress, download. It goes the way of ``weitiao predict --file``: ``Model.predict_file``."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio

from weitiao.data.reading import Reading, iter_tables
from weitiao.deploy.demo.answering import Answering, problem
from weitiao.deploy.demo.answers import problem_html
from weitiao.deploy.demo.words import Words, asked_in
from weitiao.errors import UsageError
from weitiao.messages import N_, _, speaking
from weitiao.observer import Observer
from weitiao.report.formats import figure
from weitiao.report.rendering import render

TAKEN = (".csv", ".tsv", ".jsonl", ".json", ".xlsx", ".parquet")
WRITTEN = {".json": ".jsonl", ".xlsx": ".csv"}  # what a result is written as, where not as what was sent
FIRST = 5  # rows that are shown
LONG_NUMBER = re.compile(r"-?\d+\.\d{4,}(e-?\d+)?")


class Batch:
    """Its widgets and what they do."""

    def __init__(self, answering: Answering, words: Words) -> None:
        self._answering, self._words = answering, words

    def build(self) -> None:
        """Put the widgets where they are to stand."""
        say = self._words
        gradio.HTML(say.made(lambda: render("batch_words.html.j2", package="weitiao.deploy.demo", endings=", ".join(TAKEN))))
        self.file = gradio.File(label=say(N_("File")), file_types=list(TAKEN), type="filepath", elem_id="file", height=150)
        with gradio.Accordion(say(N_("Columns")), open=False, elem_id="file-columns"):
            self.columns = [
                gradio.Textbox(
                    label=say(field.title),
                    placeholder=say(N_("the column's name (found by itself where it is clear)")),
                    elem_id=f"column-{field.name}",
                )
                for field in self._fields
            ]
        self.go = gradio.Button(say(N_("Answer the file")), variant="primary", elem_id="answer-file")
        self.told = gradio.HTML(elem_id="file-answer")
        self.download = gradio.DownloadButton(say(N_("Download the result")), visible=False, elem_id="download")
        self.go.click(
            self._run,
            [self.file, *self.columns],
            [self.told, self.download],
            concurrency_limit=1,
            api_visibility="private",
        )

    @property
    def _fields(self) -> Sequence[Any]:
        return [field for field in self._answering.form.fields if field.flag]

    def _run(  # gradio gives the first two itself
        self,
        request: gradio.Request,
        progress: Any = gradio.Progress(),  # noqa: B008 - told apart by its being there
        file: str | None = None,
        *columns: str,
    ) -> tuple[Any, Any]:
        """Answer a file; what became of it, and where the result is."""
        with speaking(asked_in(request)):
            try:
                if file is None:
                    raise UsageError(_("There is no file yet. Choose one first."))
                named = {one.flag: name.strip() for one, name in zip(self._fields, columns, strict=True) if name and name.strip()}
                told, result = self._answer(Path(file), named, progress)
            except Exception as error:
                message = problem(error)
                if file is not None:
                    message = message.replace(file, Path(file).name).replace(f"{Path(file).parent}/", "")
                return problem_html(message), gradio.update(visible=False)
            return told, gradio.update(value=str(result), visible=True)

    def _answer(self, file: Path, columns: Mapping[str, Any], progress: Any) -> tuple[str, Path]:
        if file.suffix.lower() not in TAKEN:
            message = _("{file} cannot be read here: it must end in one of {endings}.")
            raise UsageError(message.format(file=file.name, endings=_(", ").join(TAKEN)))
        folder = Path(tempfile.mkdtemp(dir=file.parent))  # goes with the page's own temporary files
        ending = WRITTEN.get(file.suffix.lower(), file.suffix.lower())
        out = folder / f"{file.stem}-predictions{ending}"
        answering = self._answering
        observer = _Watching(answering, progress)
        with answering.turns:
            done = answering.model.predict_file(str(file), out, observer=observer, **columns)
        table = next(iter_tables(str(out), Reading()))
        names = _answers_first(table.names, answering.model.task.columns(answering.model.spec))
        texts = [_short(table.texts(name)) for name in names]
        told = render(
            "batch.html.j2",
            package="weitiao.deploy.demo",
            rows=done["rows"],
            speed=done["rows_per_s"],
            notes=[note.replace(str(file), file.name) for note in observer.notes],
            names=names,
            first=list(zip(*texts, strict=True)),
        )
        return told, out


def _short(cells: Sequence[str | None]) -> list[str]:
    """The first cells of a column as people read them: without the last digits of long numbers."""
    first = [cell or "" for cell in cells[:FIRST]]
    return [figure(float(cell)) if LONG_NUMBER.fullmatch(cell) else cell for cell in first]


class _Watching(Observer):
    """Shows how far it is, keeps what is to be said, and lets short questions in between."""

    def __init__(self, answering: Answering, progress: Any) -> None:
        self.notes: list[str] = []
        self._answering, self._progress = answering, progress

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, stage: str, done: int, total: int | None, figures: Mapping[str, float]) -> None:
        self._progress((done, total), unit=_("rows"))
        self._answering.turns.let_others()


def _answers_first(names: Sequence[str], answers: Mapping[str, Any]) -> list[str]:
    """The columns of a result with the headline of the answer in front, where it is looked for."""
    headline = next(iter(answers), "")
    first = [name for name in names if name == headline or name.endswith(f"predicted_{headline}")][-1:]
    return [*first, *(name for name in names if name not in first)]
