"""A finished run as something else that can be deployed, with proof that it answers the same. It knows no task by name.

An export is a folder like a run: the model, the spec, the task and the card, and the hash of every file, so that whatever reads a run reads
it too.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weitiao import report, tasks
from weitiao.errors import GateError, RunError, UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import RunFolder, atomic

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

TARGETS = ("merged",)
TOLERANCE = 1e-5  # largest difference of an output, as a share of the largest output where that is above 1
PROBES = 64  # records that are compared


def export(
    name: str | Path, to: str, out: str | Path, *, overwrite: bool = False, observer: Observer = SILENT, trust_task: bool = False
) -> dict[str, Any]:
    """Write a run's model in another form.

    Args:
        name: a finished run's folder.
        to: "merged": one plain model of the base and its adapter, which needs neither PEFT nor the base.
        out: a folder that is not there yet, or an earlier export or run with ``overwrite``.
        trust_task: let the run's own task file run, although it was never named on this machine.

    Returns:
        {"out", "to", "rows", "difference", "bytes"}: how many records were compared, and the largest difference of their outputs.

    Raises:
        UsageError: no such form.
        RunError: the run is not finished, or ``out`` is taken.
        GateError: the outputs differ; nothing is left behind.
    """
    if to not in TARGETS:
        raise UsageError(_('There is no export "{to}"; there are: {targets}.').format(to=to, targets=", ".join(TARGETS)))
    run, target = RunFolder.open(name), RunFolder(out)
    record = run.record()
    if record.get("status") != "finished":
        raise RunError(_("{path} is not finished. Go on with: weitiao train --resume {path}").format(path=name))
    target.check_free(overwrite=overwrite)
    from weitiao.engine.finished import load_finished, save_finished

    task, spec = tasks.of_run(record, run.task, trust_task=trust_task), record["spec"]
    trained, merged = (load_finished(task, spec, run, merged=whole) for whole in (False, True))
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
        rows, difference = compare(trained, load_finished(task, spec, made), _records(run, task.example))
        if difference > TOLERANCE:
            message = _(
                "The merged model does not answer as the run does: outputs differ by up to {difference:.1e} on {rows} records, where "
                "{most:g} is allowed. Nothing was written. Use the run as it is: weitiao predict {path} TEXT"
            )
            raise GateError(message.format(difference=difference, rows=rows, most=TOLERANCE, path=name))
        report.write_card(made)
        made.update(export={"to": to, "from": record.get("name"), "rows": rows, "difference": difference, "sha256": made.hashes()})
    observer.note(_("Compared on {rows} records: outputs differ by at most {difference:.1e}.").format(rows=rows, difference=difference))
    return {"out": str(out), "to": to, "rows": rows, "difference": difference, "bytes": _bytes([target.model])}


def compare(one: "Predictor", other: "Predictor", records: Sequence[dict[str, Any]]) -> tuple[int, float]:
    """(records, largest difference of an output) of two predictors. Texts that are written must be equal, token by token."""
    largest = 0.0
    for record in records:
        features = one.encode(record)
        for mine, theirs in zip(one.backend.run(features), other.backend.run(features), strict=True):
            largest = max([largest, *(_difference(mine[name], theirs[name]) for name in mine)])
    return len(records), largest


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape or not np.issubdtype(one.dtype, np.floating):
        return 0.0 if np.array_equal(one, other) else float("inf")
    if not one.size:
        return 0.0
    return float(np.abs(one - other).max() / max(1.0, float(np.abs(one).max())))


def _records(run: RunFolder, example: Any) -> list[dict[str, Any]]:
    """Some of the rows that the run was measured on; the task's own example where it has none."""
    held = [{k: v for k, v in line.items() if k not in ("row", "source", "prediction")} for line in _first(run.predictions())]
    return held or [dict(example)]


def _first(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for _number, line in zip(range(PROBES), lines, strict=False)]


def _bytes(folders: Sequence[Path]) -> int:
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())
