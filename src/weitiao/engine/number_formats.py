"""In which number format a model answers: as it is, in bfloat16, or in 8 bits where a measured check allows it. It knows predictors and a
run's held-out rows, and no task by name.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from weitiao.engine.kept import KEPT, few, kept
from weitiao.engine.model_folder import file_sha256
from weitiao.errors import DataError, GateError, ResourceError, RunError, UsageError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import RunFolder, write_text
from weitiao.tasks.base import Record

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

ROWS = 1000  # held-out rows that are compared
ALONE = 200  # of them, each also in a batch of its own
SHOWN = 64  # held-out rows that show what the layers read, at most a quarter of all; they are not compared
MANY = 1000  # rows from which on "auto" takes 8 bits where the check was passed
MANY_UNCHECKED = 10_000  # and from which on the check itself pays
ARITHMETIC = 1  # goes up when ``int8`` computes in another way, so that every check is made again


@dataclass(frozen=True)
class Check:
    """What was measured of a model in 8 bits.

    Attributes:
        rows, kept: how many held-out rows, and which share of the decisions about them is as in fp32.
        decided, decided_in_int8: how many decisions that is a share of: of labels as many as rows, of entities as many as were found in
            fp32, and in 8 bits.
        alone_rows, alone_kept: how many of them were also answered alone, and which share of these decisions is as in the batch.
    """

    rows: int
    kept: float
    decided: int
    decided_in_int8: int
    alone_rows: int
    alone_kept: float

    @property
    def passed(self) -> bool:
        """Whether the answers are close enough to those in fp32, and depend on nothing that is beside them."""
        return min(self.kept, self.alone_kept) >= KEPT

    def said(self) -> str:
        """The figures, as part of a sentence."""
        figures = _(
            "{kept:.1%} of the answers to {rows} held-out rows stay as in fp32, and {alone:.1%} of {alone_rows} alone as in a batch"
        )
        return figures.format(kept=self.kept, rows=self.rows, alone=self.alone_kept, alone_rows=self.alone_rows)

    def with_few(self, sentence: str) -> str:
        """A sentence with the figures in it, and behind it what so few answers can show."""
        return " ".join(filter(None, (sentence.format(figures=self.said(), least=KEPT), few(self.decided, self.decided_in_int8, 1 - KEPT))))


def take_bf16(predictor: "Predictor", observer: Observer) -> None:
    """Compute in bfloat16 from here on. Raises ResourceError for a device that cannot."""
    import torch

    loaded: Any = predictor.backend.loaded  # type: ignore[attr-defined]
    if loaded.machine.device == "cuda" and not torch.cuda.is_bf16_supported():
        raise ResourceError(_("This GPU does not compute in bf16. Use --precision fp32."))
    loaded.machine = replace(loaded.machine, precision="bf16")
    observer.note(_("Computing in bf16, as asked; nothing was compared with fp32."))


def take_int8(predictor: "Predictor", run: RunFolder | None, observer: Observer) -> None:
    """Compute in 8 bits from here on.

    Raises:
        UsageError: that is not possible here; the message says why.
        GateError: too few answers stay as they are.
    """
    reason = _impossible(predictor, run)
    if reason or run is None:
        raise UsageError(_("--precision int8 is not possible: {reason}. Use --precision fp32.").format(reason=reason))
    check = _checked(predictor, run, observer)
    if not check.passed:
        message = _("--precision int8 is refused: {figures}, where {least:.0%} is asked for. Use --precision fp32.")
        raise GateError(check.with_few(message))
    observer.note(check.with_few(_("Computing in int8: {figures}.")))


def take_fastest(predictor: "Predictor", run: RunFolder | None, rows: int, observer: Observer) -> str:
    """Compute in 8 bits from here on where that is possible, passes its check, and pays for so many rows. What was decided is said.

    Returns:
        "int8" or "fp32"; "" where the rows are too few to decide by, and the answers are in fp32 for now.
    """
    waiting = _(
        "Computing in fp32: auto looks at int8 for files from {rows:,} rows on, and from {unchecked:,} on while its check has not been "
        "made."
    )
    if rows < MANY:
        observer.note(waiting.format(rows=MANY, unchecked=MANY_UNCHECKED))
        return ""
    reason = _impossible(predictor, run)
    if not reason and run is not None:
        if rows < MANY_UNCHECKED and _remembered(run, _key(predictor, run)) is None:
            observer.note(waiting.format(rows=MANY, unchecked=MANY_UNCHECKED))
            return ""
        check = _checked(predictor, run, observer)
        if check.passed:
            observer.note(check.with_few(_("Computing in int8: {figures}.")))
            return "int8"
        observer.note(check.with_few(_("Computing in fp32, not in int8: only {figures}.")))
        return "fp32"
    observer.note(_("Computing in fp32, not in int8: {reason}.").format(reason=reason))
    return "fp32"


def _impossible(predictor: "Predictor", run: RunFolder | None) -> str:
    """Why a model cannot answer in 8 bits here, "" where it can."""
    from weitiao.engine import int8

    task, loaded = predictor.task, predictor.backend.loaded  # type: ignore[attr-defined]
    if task.answers_by == "generate":
        return _("{task} writes its answer token by token").format(task=task.name)
    if loaded.machine.device != "cpu":
        return _("it is for CPUs, and this computes on {device}").format(device=loaded.machine.device)
    if not int8.available():
        return _("this torch has no 8-bit matrix products (FBGEMM) for this processor")
    if loaded.adapter is not None:
        return _("the adapter stands beside its base's weights; make one model of them with weitiao export --to merged")
    if not any(int8.linear_layers(loaded.network)):
        return _("{network} has no linear layers of the usual kind").format(network=type(loaded.network).__name__)
    rows = run.measured_on(task.fields, 2) if run is not None else []
    if run is None or len(rows) < 2:
        return _("it is judged on the held-out rows of a finished run, and there are none")
    try:
        (shown,) = predictor.predict(rows[:1])
    except DataError as error:  # a picture that is no longer where it was
        return _("the held-out rows cannot be read again ({error})").format(error=str(error).rstrip("."))
    if task.decisions(shown) is None:
        return _("{task} gives numbers and no labels, so nothing shows what is lost").format(task=task.name)
    return ""


def _checked(predictor: "Predictor", run: RunFolder, observer: Observer) -> Check:
    """The check, remembered or made now. Where it is passed the network computes in 8 bits afterwards, elsewhere as before."""
    from weitiao.engine.int8 import Int8Layers

    key = _key(predictor, run)
    known, records = _remembered(run, key), run.measured_on(predictor.task.fields, SHOWN + ROWS)
    if known is not None and not known.passed:
        return known
    shown, loaded = max(min(SHOWN, len(records) // 4), 1), predictor.backend.loaded  # type: ignore[attr-defined]
    layers = Int8Layers(loaded.network, lambda: list(predictor.predict(records[:shown])))
    check = known or _measured(predictor, layers, records[shown:], observer)
    if check.passed:
        layers.put_in()
        loaded.in_int8 = layers.parameters
    if known is None:
        # A run that may only be read is checked each time.
        with suppress(ResourceError):
            write_text(run.int8_file, json.dumps({"key": key, **asdict(check)}, indent=2) + "\n")
    return check


def _measured(predictor: "Predictor", layers: Any, records: Sequence[Record], observer: Observer) -> Check:
    message = _("Comparing int8 with fp32 on {rows} held-out rows …")
    observer.note(message.format(rows=len(records)))
    task = predictor.task
    plain = list(predictor.predict(records))
    layers.put_in()
    try:
        batched = list(predictor.predict(records))
        alone = [next(iter(predictor.predict([record]))) for record in records[:ALONE]]
    finally:
        layers.take_out()
    both = kept(task, plain, batched)
    return Check(len(records), both.share, both.decided, both.otherwise, len(alone), kept(task, batched[:ALONE], alone).share)


def _key(predictor: "Predictor", run: RunFolder) -> str:
    """Stands for everything that a check depends on: the weights, what was learned beside them, and the arithmetic."""
    files = {file.name: file_sha256(file) for file in sorted(run.model.glob("*.safetensors"))}
    base = (run.record().get("base_model") or {}).get("sha256")
    what = {"arithmetic": ARITHMETIC, "files": files, "base": base, "spec": predictor.spec, "max_length": predictor.max_length}
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def _remembered(run: RunFolder, key: str) -> Check | None:
    """The check that was made of exactly this, None where there is none."""
    try:
        held = run.int8_check()
    except RunError:  # damaged: it is made again
        return None
    figures = {name: held.get(name) for name in Check.__dataclass_fields__}
    if held.get("key") != key or not all(isinstance(figure, (int, float)) for figure in figures.values()):
        return None
    return Check(**figures)  # type: ignore[arg-type]
