"""A finished run as something else that can be deployed, with proof that it answers the same. It knows no task by name.

An export is a folder like a run: the model, the spec, the task and the card, and the hash of every file, so that whatever reads a run reads
it too.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weitiao import report, tasks
from weitiao.errors import GateError, RunError, UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import RunFolder, atomic
from weitiao.tasks.base import Record, Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

TARGETS = ("merged",)
TOLERANCE = 1e-5  # largest difference of an output, as a share of the largest output where that is above 1
PROBES = 64  # records that are compared


def export(
    name: str | Path,
    to: str,
    out: str | Path,
    *,
    overwrite: bool = False,
    observer: Observer = SILENT,
    trust_task: bool = False,
    offline: bool = False,
    trust_remote_code: str = "",
) -> dict[str, Any]:
    """Write a run's model in another form.

    Args:
        name: a finished run's folder.
        to: "merged": one plain model of the base and its adapter, which needs neither PEFT nor the base.
        out: a folder that is not there yet, or an earlier export or run with ``overwrite``.
        trust_task: let the run's own task file run, although it was never named on this machine.
        offline: open no socket for an adapter's base.
        trust_remote_code: the one repository whose Python code may run.

    Returns:
        {"out", "to", "rows", "difference", "against", "bytes"}: how many records were compared, the largest difference of their outputs,
        and what they were compared with: "run"; or "dequantised", the run's adapter beside its base's quantised weights, read as ordinary
        numbers.

    Raises:
        UsageError: no such form.
        RunError: the run is not finished, or ``out`` is taken.
        GateError: the outputs differ; nothing is left behind.
    """
    if to not in TARGETS:
        raise UsageError(_('There is no export "{to}"; there are: {targets}.').format(to=to, targets=_(", ").join(TARGETS)))
    run, target = RunFolder.open(name), RunFolder(out)
    record = run.record()
    if record.get("status") != "finished":
        raise RunError(_("{path} is not finished. Go on with: weitiao train --resume {path}").format(path=name))
    target.check_free(overwrite=overwrite)
    from weitiao.engine.finished import load_finished, save_finished

    task, spec = tasks.of_run(record, run.task, trust_task=trust_task), record["spec"]
    where: dict[str, Any] = {"offline": offline, "trust_remote_code": trust_remote_code}
    bits = _bits(run)
    merged = load_finished(task, spec, run, merged=True, **where)
    # What bitsandbytes computes with quantised weights is no measure for a merged model: in 8 bits it rounds what goes into a layer
    # as well, and in 4 bits, on some processors, the products.
    trained = load_finished(task, spec, run, merged=False, dequantised=True, **where)
    with atomic(target.path) as temporary:
        made = RunFolder(temporary)
        temporary.mkdir(parents=True)
        save_finished(task, spec, merged.backend.loaded, made.model, merged.max_length)  # type: ignore[attr-defined]
        if task.origin is not None:
            made.keep_task_file(task.origin.name, task.origin.files)
        for file in run.kept_files():
            shutil.copy2(file, temporary / file.name)
        made.update(**{**record, "name": target.path.name, "model_bytes": _bytes([made.model])})
        # What stands on the disk is judged, not what was in memory: saving is part of what can go wrong.
        saved = load_finished(task, spec, made, **where)
        _bring_together(saved, trained)
        rows, difference = compare(trained, saved, _records(run, task))
        if difference > TOLERANCE:
            message = _(
                "The merged model does not answer as the run does: outputs differ by up to {difference:.1e} on {rows} records, where "
                "{most:g} is allowed. Nothing was written. Use the run as it is: weitiao predict {path} TEXT"
            )
            raise GateError(message.format(difference=difference, rows=rows, most=TOLERANCE, path=name))
        proof = {"rows": rows, "difference": difference, "against": "dequantised" if bits else "run"}
        made.update(export={"to": to, "from": record.get("name"), **proof})
        report.write_card(made)  # by the record, which says that this is an export and no adapter
        made.update(export={"to": to, "from": record.get("name"), **proof, "sha256": made.hashes()})
    observer.note(_("Compared on {rows} records: outputs differ by at most {difference:.1e}.").format(rows=rows, difference=difference))
    if bits:
        message = _(
            "Compared with the adapter beside the base's weights as {bits} bits hold them, read as ordinary numbers. The run itself may "
            "answer a little differently, since bitsandbytes rounds while it computes, too."
        )
        observer.note(message.format(bits=bits))
    return {"out": str(out), "to": to, **proof, "bytes": _bytes([target.model])}


def _bits(run: RunFolder) -> int:
    """How many bits the base under a run's adapter is kept in; 0 where it is not quantised, or the run holds a whole model."""
    from weitiao.engine.model_folder import is_adapter

    settings = run.record()["settings"]
    return int(settings["quant_bits"]) if is_adapter(run.model) and settings["method"] == "qlora" else 0


def _bring_together(one: "Predictor", other: "Predictor") -> None:
    """Let one compute on the other's device: what was quantised may stand on the CPU of a machine whose GPU takes all else."""
    mine, theirs = one.backend.loaded, other.backend.loaded  # type: ignore[attr-defined]
    if mine.machine.device != theirs.machine.device:
        mine.network.to(theirs.machine.device)
        mine.machine = theirs.machine


def compare(one: "Predictor", other: "Predictor", records: Sequence[Record]) -> tuple[int, float]:
    """(records, largest difference of an output) of two predictors. Texts that are written must be equal, token by token."""
    largest = 0.0
    for record in records:
        features = one.encode(record)
        for mine, theirs in zip(one.backend.run(features), other.backend.run(features), strict=True):
            largest = max([largest, *(_difference(mine[name], theirs[name]) for name in mine)])  # none of them is a NaN
    return len(records), largest


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, as a share of the largest value where that is above 1. What is no finite number agrees with nothing.

    >>> _difference(np.array([1.0, 4.0]), np.array([1.0, 5.0])), _difference(np.array([np.nan]), np.array([np.nan]))
    (0.25, inf)
    """
    if one.shape != other.shape or not np.issubdtype(one.dtype, np.floating):
        return 0.0 if np.array_equal(one, other) else float("inf")
    if not one.size:
        return 0.0
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    return float(np.abs(one - other).max() / max(1.0, float(np.abs(one).max())))


def _records(run: RunFolder, task: Task) -> Sequence[Record]:
    """Some of the rows that the run was measured on; the task's own example where it has none."""
    from weitiao.engine.finished import held_out

    return held_out(run, task, PROBES) or [task.prepare({**dict.fromkeys(task.fields), **task.example})]


def _bytes(folders: Sequence[Path]) -> int:
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())
