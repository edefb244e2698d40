"""A run in the lightest form that it has, for whatever goes where nothing is installed yet: a container, a Space. What it needs there is
found out by asking it in a process of its own. It knows no form of deployment and no task by name.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from weitiao import asking
from weitiao.deploy.container.pinned import extra, extras
from weitiao.deploy.demo.examples import examples
from weitiao.deploy.runtime import is_torch_free
from weitiao.errors import GateError, MissingPackage, ModelError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import RunFolder
from weitiao.tasks.base import Spec, Task

PACKAGE = Path(__file__).parents[1]
MERGED = "merged"
_PROBE = """
import json, sys
import weitiao
run = weitiao.load(sys.argv[1], trust_task=sys.argv[2] == "trust")
answers = []
for record in json.load(sys.stdin):
    try:
        answers += run.predict([record])
    except weitiao.DataError:  # a picture that cannot be read any more
        answers.append(None)
told = {"answers": answers, "modules": sorted({name.partition(".")[0] for name in sys.modules})}
print(json.dumps(told, default=lambda value: value.tolist()))
"""

Export = Callable[[str | Path, str, Path], dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """What came of asking a run in a process of its own.

    Attributes:
        answers: one a record; None where it could not be asked.
        modules: what was imported for them, by the names that stand first.
    """

    answers: list[dict[str, Any] | None]
    modules: frozenset[str]

    @property
    def torch(self) -> bool:
        """Whether answering needs it."""
        return "torch" in self.modules


def put(source: RunFolder, task: Task, inner: RunFolder, export: Export, observer: Observer, *, with_torch: bool = False) -> dict[str, Any]:
    """Put a run into a folder in the lightest form that it has: an export without torch as it is; else as ONNX or, where it writes, for
    CTranslate2; else the whole model, which needs torch, and why is told.

    Args:
        export: writes a run in another form: (run, form, folder) -> what was found.
        with_torch: the whole model is wanted, whatever else it may become; an export without torch stays one.

    Returns:
        What the export's gate found; where it was an export already that its answers are "drawn" at random, if they are.

    Raises:
        GateError: the export does not answer as the run does; of a model that writes, not the whole model either.
    """
    record = source.record()
    if is_torch_free(record) or (with_torch and form_of(source) == MERGED):
        source.check_hashes(record["export"].get("sha256") or {})
        _copy(source, inner)
        return {"drawn": True} if record["export"].get("drawn") else {}
    if with_torch:
        return found(export(source.path, MERGED, inner.path))
    writes = task.answers_by == "generate"
    hindrances = (ModelError, GateError, MissingPackage) if writes else (ModelError,)
    try:
        return found(export(source.path, "ctranslate2" if writes else "onnx", inner.path))
    except hindrances as error:
        observer.note(_("PyTorch has to go along: {reason}").format(reason=error))
    return found(export(source.path, MERGED, inner.path))


def form_of(inner: RunFolder) -> str:
    """The name of the form that a run was exported in, or that ``put`` chose; "" where it is none."""
    return str((inner.record().get("export") or {}).get("to", ""))


def asked(run: RunFolder, task: Task, records: Sequence[Mapping[str, Any]], *, offline: bool = True) -> Asked:
    """Ask a run in a process of its own. Raises ModelError where it does not answer as it stands in its folder."""
    trust = "trust" if task.origin else ""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE, str(run.path), trust],
        input=json.dumps(list(records)),
        capture_output=True,
        text=True,
        env={**os.environ, **({"HF_HUB_OFFLINE": "1"} if offline else {})},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise ModelError(_("The run does not answer from its folder alone: {reason}").format(reason=last))
    told = json.loads(done.stdout.splitlines()[-1])
    return Asked(told["answers"], frozenset(told["modules"]))


def records_of(task: Task, spec: Spec, run: RunFolder | None) -> list[dict[str, Any]]:
    """A few records to ask: of the run's held-out rows, else the task's own."""
    return [whole(task, spec, record) for record in examples(task, spec, run)]


def whole(task: Task, spec: Spec, record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as it is asked: its inputs, and where one that is needed is missing, a text in its place."""
    from weitiao.deploy.server.schemas import inputs_of  # the extra serve

    must = asking.needed(task, spec)
    given = {
        field.name: asking.sample(field) if record.get(field.name) is None and field in must else record.get(field.name)
        for field in inputs_of(task, spec)
    }
    return {name: value for name, value in given.items() if value is not None}


def further(used: Asked) -> list[str]:
    """What the run needs beside what every installation has: packages of our extras that answering imported, and with torch what trains."""
    known, distributions = extras(), packages_distributions()
    named = {canonicalize_name(name) for module in used.modules for name in distributions.get(module, ())}
    return sorted((named & known) | (extra("train") if used.torch else set()))


def _copy(source: RunFolder, inner: RunFolder) -> None:
    """What an export wrote, and nothing that somebody put beside it."""
    inner.path.mkdir()
    for file in (source.card, *source.kept_files()):
        if file.is_file():
            shutil.copy2(file, inner.path / file.name)
    for folder in (source.model, source.task):
        if folder.is_dir():
            shutil.copytree(folder, inner.path / folder.name)
    inner.update(**{name: value for name, value in source.record().items() if name != "published"})  # the copy stands nowhere yet


def found(proof: dict[str, Any]) -> dict[str, Any]:
    """What an export's gate found, without where it was written to."""
    return {name: value for name, value in proof.items() if name not in ("out", "to", "bytes")}
