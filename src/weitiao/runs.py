"""The run directory: the only file that knows the names inside it. It knows nothing of models, tasks or reports.

Nothing half-written is ever left under a final name: everything is written to a temporary sibling, synced, and renamed.
"""

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from weitiao.config import nearest
from weitiao.errors import ResourceError, RunError
from weitiao.messages import _

SCHEMA = 1
AT_TOP = "."  # where a published run's model stands in its folder, as its record says it
_BESIDE_A_RECORD = frozenset({"row", "source", "record", "prediction"})  # what a line of the predictions says itself


class RunFolder:
    """A run's folder. Making one of these touches no disk; ``create`` makes the folder, ``open`` insists that it is there.

    Attributes:
        path: the folder.
        model, checkpoints: folders inside it; the model of a run that was published stands beside its record, where others look for it.
        graph, ctranslate2, tokenizer: in the model folder of an export that needs no torch, what answers (a file of ONNX, a folder of
            CTranslate2) and what reads texts.
        task: a folder with the task file, and those beside it that it imports, where the task is of somebody's own.
        blank: the base model while training, where it was made for this run and cannot be found anywhere else.
        tokens: a pretraining's corpus as token ids, while it trains.
        report, card, log_file, predictions_file, ledger_file, record_file, check_file: files inside it.
        int8_file: what was measured of the model in 8 bits, once somebody asked for that.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._place_model(self.path / "model")
        self.checkpoints = self.path / "checkpoints"
        self.task = self.path / "task"
        self.blank = self.checkpoints / "blank"
        self.tokens = self.checkpoints / "tokens"
        self.report = self.path / "report.html"
        self.card = self.path / "README.md"
        self.record_file = self.path / "run.json"
        self.check_file = self.path / "check.json"
        self.log_file = self.path / "log.jsonl"
        self.predictions_file = self.path / "predictions.jsonl"
        self.ledger_file = self.path / "ledger.jsonl"
        self.int8_file = self.path / "int8.json"

    def _place_model(self, model: Path) -> None:
        self.model = model
        self.graph = model / "model.onnx"
        self.ctranslate2 = model / "ctranslate2"
        self.tokenizer = model / "tokenizer.json"

    def check_free(self, *, overwrite: bool = False, mark: str = "run.json") -> None:
        """Make sure that a new run can go here, before hours are spent on it. Nothing that stands there is touched.

        Args:
            mark: the file by which a folder is known as one that may be replaced, if what it says is ours.

        Raises:
            RunError: something stands there and ``overwrite`` is off, or what stands there is none of ours, or cannot be known as that.
            ResourceError: the folder cannot be written.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            if not _marked(self.path / mark):
                # --overwrite is for what we wrote: it must never empty somebody's folder.
                message = _(
                    "{path} exists and is not what weitiao writes there, so it is left alone, by --overwrite too. Choose another --out."
                )
                raise RunError(message.format(path=self.path))
            if not overwrite:
                message = _("{path} exists already. Choose another --out, or replace it with --overwrite.").format(path=self.path)
                raise RunError(message)
        parent = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.is_dir())
        with writing(self.path):
            probe = parent / f".{uuid.uuid4().hex}.tmp"
            probe.write_bytes(b"\0")
            probe.unlink()

    def create(self, *, overwrite: bool = False) -> None:
        """Make the folder, new and empty; ``check_free`` says what may be replaced."""
        self.check_free(overwrite=overwrite)
        with writing(self.path):
            if self.path.exists():
                shutil.rmtree(self.path)
            self.checkpoints.mkdir(parents=True)

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """A run that is there. Raises RunError where it is not, or its record is unreadable or of a newer schema."""
        run = cls(path)
        if not run.record_file.is_file():
            runs = sorted(str(p.parent) for p in run.path.parent.glob("*/run.json")) if run.path.parent.is_dir() else []
            there = " " + _("There are: {runs}.").format(runs=_(", ").join(runs[:8])) if runs else ""
            if run.path.is_file():
                message = _("{path} is a file; a run is the folder that a training writes: weitiao train DATA --out runs/reviews.")
                raise RunError(message.format(path=path) + there)
            if run.path.exists():  # where something stands, no run can be made
                raise RunError(_("{path} is no run: it has no run.json.").format(path=path) + there)
            message = _("{path} is no run: there is nothing. Make one with: weitiao train DATA --out {path}.").format(path=path)
            raise RunError(message + there + nearest(str(path), runs))
        record = run.record()
        if (record.get("published") or {}).get("model") == AT_TOP:
            run._place_model(run.path)
        schema = record.get("schema")
        if not isinstance(schema, int) or schema > SCHEMA:
            message = _("{path} was written by a newer weitiao (schema {schema}; this one reads {known}). Update: pip install -U weitiao")
            raise RunError(message.format(path=path, schema=schema, known=SCHEMA))
        return run

    def sweep(self) -> None:
        """Remove what a killed process left half-written under temporary names."""
        for left in (*self.path.glob(".*.tmp"), *self.path.glob(".*.old")):
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def record(self) -> dict[str, Any]:
        """run.json. Raises RunError when it cannot be read."""
        return self._json(self.record_file)

    def update(self, **values: Any) -> None:
        """Set top-level keys of run.json, atomically."""
        record = self.record() if self.record_file.is_file() else {"schema": SCHEMA}
        write_text(self.record_file, json.dumps({**record, **values}, ensure_ascii=False, indent=2, allow_nan=False) + "\n")

    def keep_task_file(self, name: str, files: Mapping[str, bytes]) -> str:
        """Keep the task file of that name and those beside it, with the content that was run; its path as seen from run.json."""
        with atomic(self.task) as temporary:
            temporary.mkdir()
            for file, content in files.items():
                (temporary / file).write_bytes(content)
        return (self.task / name).relative_to(self.path).as_posix()

    def check(self) -> dict[str, Any]:
        """The data check's findings ({} where there was none)."""
        return self._json(self.check_file) if self.check_file.is_file() else {}

    def int8_check(self) -> dict[str, Any]:
        """What was measured of the model in 8 bits ({} where nothing was)."""
        return self._json(self.int8_file) if self.int8_file.is_file() else {}

    def log(self) -> list[dict[str, Any]]:
        """The training log, one dict a line."""
        return list(read_lines(self.log_file))

    def append_log(self, line: Mapping[str, Any]) -> None:
        """Add a line to the training log."""
        with writing(self.log_file), self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def trim_log(self, step: int) -> None:
        """Forget the lines after ``step``: a resumed run writes them again."""
        write_lines(self.log_file, [line for line in self.log() if line.get("step", 0) <= step])

    def predictions(self) -> Iterator[dict[str, Any]]:
        """The test set's predictions, one dict a line."""
        return read_lines(self.predictions_file)

    def measured_on(self, fields: Iterable[str], most: int) -> list[dict[str, Any]]:
        """The first of the records that the run was measured on, their ``fields`` alone, at most so many; [] where it kept none."""
        return [record for record, _place in self.measured_rows(fields, most)]

    def measured_rows(self, fields: Iterable[str], most: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """The same records, each with where its row stands: {"row": its number in the file, "source": the file}."""
        names, rows = list(fields), []
        for line in islice(self.predictions(), most):
            record = record_in(line)
            rows.append(({name: record[name] for name in names if name in record}, {name: line.get(name) for name in ("row", "source")}))
        return rows

    def ledger(self) -> Iterator[dict[str, Any]]:
        """The row ledger, one dict a line."""
        return read_lines(self.ledger_file)

    @property
    def card_and_record(self) -> tuple[str, ...]:
        """The names beside which a published model stands in its folder."""
        return (self.record_file.name, self.card.name, self.task.name)

    def kept_files(self) -> list[Path]:
        """What an export takes along beside the model and the record."""
        return [file for file in (self.check_file, self.predictions_file) if file.is_file()]

    @property
    def model_bytes(self) -> int:
        """Bytes of all files of the model that stands in it."""
        return sum(file.stat().st_size for file in self.model.rglob("*") if file.is_file())

    def hashes(self) -> dict[str, str]:
        """The sha256 of every file but the record itself, by its path in the folder."""
        files = sorted(file for file in self.path.rglob("*") if file.is_file() and file != self.record_file)
        return {file.relative_to(self.path).as_posix(): _sha256(file) for file in files}

    def check_hashes(self, hashes: Mapping[str, str]) -> None:
        """Insist that everything which an export answers by, its model and its task file, is what was written. The card and what else lies
        beside may be written again.

        Args:
            hashes: as ``hashes`` gave them.

        Raises:
            RunError: names the file that is missing, was changed, or does not belong there.
        """
        answering = (self.model, self.task)
        there = {file.relative_to(self.path).as_posix() for folder in answering for file in folder.rglob("*") if file.is_file()}
        wanted = {name: digest for name, digest in hashes.items() if any((self.path / name).is_relative_to(one) for one in answering)}
        problems = {
            _("{file} is not there"): sorted(wanted.keys() - there),
            _("{file} does not belong there"): sorted(there - wanted.keys()),
            _("{file} is not what was exported"): [name for name in wanted if name in there and _sha256(self.path / name) != wanted[name]],
        }
        for problem, names in problems.items():
            if names:
                message = _("{path}: {problem}, so nobody knows what this export would answer. Copy it again, or export the run again.")
                raise RunError(message.format(path=self.path, problem=problem.format(file=names[0])))

    def _json(self, path: Path) -> dict[str, Any]:
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(held, dict):
                raise ValueError(_("not an object"))
            return held
        except (OSError, ValueError, RecursionError) as error:
            message = _("{path} cannot be read: {error}. Train again with another --out.").format(path=path, error=error)
            raise RunError(message) from error


def nearest_folder(path: Path) -> Path:
    """The folder above a path that is there: on the disk that the path will be on.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> nearest_folder(place / "runs" / "one") == place
    True
    """
    return next(parent for parent in path.absolute().parents if parent.is_dir())


def _marked(file: Path) -> bool:
    """Whether a file is one of those by which weitiao knows its folders again. Programs of others write a run.json and a space.json too."""
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(held, dict) and bool({"schema", "weitiao"} & held.keys())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the system says about a full or read-only disk into a ResourceError that names ``path``."""
    try:
        yield
    except OSError as error:
        parent = path.absolute().parent
        if error.errno == errno.ENOENT and not parent.exists():
            message = _("{path} cannot be written: there is no folder {folder}. Make it first, or choose another place.")
            raise ResourceError(message.format(path=path, folder=path.parent)) from error
        message = _("{path} cannot be written: {error}. Free some space, or choose a folder that you may write to with --out.")
        raise ResourceError(message.format(path=path, error=error.strerror or error)) from error


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary sibling of ``path`` to write a file or a folder to; it takes the final name when the block ends well, else it goes.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        with writing(path):
            yield temporary
            for file in temporary.rglob("*") if temporary.is_dir() else [temporary]:
                if file.is_file():
                    _sync(file)
            if temporary.is_dir() and path.is_dir():
                # A folder cannot replace another in one step: the old one steps aside first and is removed last.
                aside = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.old"
                os.replace(path, aside)
                os.replace(temporary, path)
                shutil.rmtree(aside, ignore_errors=True)
            else:
                os.replace(temporary, path)
            _sync(path.parent)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def prediction_line(row: int, source: str, record: Mapping[str, Any], prediction: Any) -> dict[str, Any]:
    """A line of the predictions: a row's number and file, its fields, the answer. A record with a field of one of the line's own names
    stands under "record", so that neither takes the other's place.

    >>> prediction_line(2, "a.csv", {"text": "x"}, {"label": "good"})
    {'row': 2, 'source': 'a.csv', 'text': 'x', 'prediction': {'label': 'good'}}
    >>> prediction_line(2, "a.csv", {"source": "x"}, {"text": "y"})
    {'row': 2, 'source': 'a.csv', 'record': {'source': 'x'}, 'prediction': {'text': 'y'}}
    """
    fields = {"record": dict(record)} if _BESIDE_A_RECORD & record.keys() else record
    return {"row": row, "source": source, **fields, "prediction": prediction}


def record_in(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the fields of the record stand in a line of the predictions: in the line itself, or under its "record".

    >>> record_in({"row": 2, "source": "a.csv", "record": {"source": "x"}, "prediction": {"text": "y"}})
    {'source': 'x'}
    """
    record = line.get("record")
    return record if isinstance(record, dict) else line


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSON Lines file atomically, streaming."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file ([] where there is none); a last line that a crash cut short is left out."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                return


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a folder
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
