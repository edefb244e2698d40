"""The folder of a container image: the run in the lightest form that it has, everything it needs by version, and how it is built and
started. It knows no container engine; what needs torch is found out by asking the run in a process of its own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from weitiao import __version__, asking, tasks
from weitiao.deploy.container.pinned import extra, extras, ourselves, pinned
from weitiao.deploy.container.wheel import write_wheel
from weitiao.deploy.demo.examples import examples
from weitiao.deploy.runtime import is_torch_free
from weitiao.errors import GateError, MissingPackage, ModelError, RunError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import RunFolder, atomic
from weitiao.tasks.base import Spec, Task

PACKAGE = Path(__file__).parents[2]
FILES = Path(__file__).parent / "files"
RUN = "run"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
ENCODED = "$(base64 -w0 picture.png)"  # a picture in a command
STOPS = ("--host", "0.0.0.0", "--port", "8000")
_PROBE = """
import json, sys
import weitiao
run = weitiao.load(sys.argv[1], trust_task=sys.argv[2] == "trust")
for record in json.load(sys.stdin):
    try:
        run.predict([record])
    except weitiao.DataError:  # a picture that cannot be read any more
        pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""

Export = Callable[[str | Path, str, Path], dict[str, Any]]


def write_folder(
    name: str | Path, out: str | Path, export: Export, *, overwrite: bool, observer: Observer, trust_task: bool = False
) -> dict[str, Any]:
    """Write the folder, with the run in the lightest form that it has: an export without torch as it is; else as ONNX or, for models that
    write, for CTranslate2; else the whole model, which needs torch, and why is told.

    Args:
        name: a finished run, or an export.
        out: a folder that is not there yet, or an earlier one of these with ``overwrite``.
        export: writes a run in another form: (run, form, folder) -> what was found.
        trust_task: the run's own task file may run, here and in the container.

    Returns:
        {"out", "to": "docker", "form": of the run in it, "torch": whether it needs it, "packages": how many are pinned, "bytes"}, and what
        the export's own gate found, if one was made.

    Raises:
        RunError: ``out`` is taken, or lies in what is put into it.
        MissingPackage: what serves is not installed here.
        ModelError: the run in the folder does not answer.
        GateError: the export does not answer as the run does; of a model that writes, not the whole model either.
    """
    target = RunFolder(out)
    target.check_free(overwrite=overwrite, mark=f"{RUN}/run.json")
    source = RunFolder.open(name)
    if any(target.path.resolve().is_relative_to(part.resolve()) for part in (source.model, source.task)):
        raise RunError(_("{out} lies in the folder that is put into it. Choose another --out.").format(out=out))
    task = tasks.of_run(source.record(), source.task, trust_task=trust_task)
    pinned(["weitiao[serve]"])  # before minutes are spent
    with atomic(target.path) as temporary:
        temporary.mkdir(parents=True)
        inner = RunFolder(temporary / RUN)
        proof = _put(source, task, inner, export, observer)
        form, used = str((inner.record().get("export") or {}).get("to", "")), _used(inner, task)
        torch = "torch" in used
        lines = pinned(["weitiao[serve]", *_further(used, torch=torch)])
        (temporary / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        wheel = write_wheel(PACKAGE, ourselves(), temporary / "wheels").name
        service = _service_name(source)
        command = ["weitiao", "serve", f"{service}={RUN}", *STOPS, *(("--trust-task",) if task.origin else ())]
        told = {"version": __version__, "python": "{}.{}".format(*sys.version_info), "torch": torch, "torch_index": TORCH_INDEX}
        told |= {"wheel": wheel, "service": service, "command": json.dumps(command)}
        _fill(temporary, {**told, "locked": json.dumps([*command, "--api-key-env", "SERVICE_KEY"])})
        (temporary / "README.md").write_text(_readme(task, inner, service, form, torch=torch), encoding="utf-8")
        size = sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file())
    return {"out": str(out), "to": "docker", "form": form, "torch": torch, "packages": len(lines), **proof, "bytes": size}


def _put(source: RunFolder, task: Task, inner: RunFolder, export: Export, observer: Observer) -> dict[str, Any]:
    """The run in the lightest form that it has; what its export's gate found, {} where it was an export already."""
    record = source.record()
    if is_torch_free(record):
        source.check_hashes(record["export"].get("sha256") or {})
        _copy(source, inner)
        return {}
    writes = task.answers_by == "generate"
    hindrances = (ModelError, GateError, MissingPackage) if writes else (ModelError,)
    try:
        return _found(export(source.path, "ctranslate2" if writes else "onnx", inner.path))
    except hindrances as error:
        observer.note(_("The container will need torch: {reason}").format(reason=error))
    return _found(export(source.path, "merged", inner.path))


def _copy(source: RunFolder, inner: RunFolder) -> None:
    """What an export wrote, and nothing that somebody put beside it."""
    inner.path.mkdir()
    for file in (source.record_file, source.card, *source.kept_files()):
        if file.is_file():
            shutil.copy2(file, inner.path / file.name)
    for folder in (source.model, source.task):
        if folder.is_dir():
            shutil.copytree(folder, inner.path / folder.name)


def _found(proof: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in proof.items() if name not in ("out", "to", "bytes")}


def _used(inner: RunFolder, task: Task) -> set[str]:
    """The modules that answering imports. Raises ModelError where the run, as it stands in the folder, does not answer."""
    spec = inner.record()["spec"]
    records = [_whole(task, spec, record) for record in examples(task, spec, inner)]
    trust = "trust" if task.origin else ""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE, str(inner.path), trust],
        input=json.dumps(records),
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise ModelError(_("The run does not answer from its folder alone: {reason}").format(reason=last))
    return set(json.loads(done.stdout.splitlines()[-1]))


def _whole(task: Task, spec: Spec, record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as it is asked: its inputs, and where one that is needed is missing, a text in its place."""
    from weitiao.deploy.server.schemas import inputs_of  # the extra serve

    must = asking.needed(task, spec)
    given = {
        field.name: asking.sample(field) if record.get(field.name) is None and field in must else record.get(field.name)
        for field in inputs_of(task, spec)
    }
    return {name: value for name, value in given.items() if value is not None}


def _further(used: set[str], *, torch: bool) -> list[str]:
    """What the run needs beside what every server does: packages of our extras that answering imported, and with torch what trains."""
    known, distributions = extras(), packages_distributions()
    named = {canonicalize_name(name) for module in used for name in distributions.get(module, ())}
    return sorted((named & known) | (extra("train") if torch else set()))


def _service_name(source: RunFolder) -> str:
    """The run's own name as it may stand in an address and as the name of an image.

    >>> _service_name(RunFolder("runs/My Réviews!"))
    'my-r-views'
    """
    return re.sub(r"[^a-z0-9]+", "-", source.path.absolute().name.lower()).strip("-")[:60].rstrip("-") or "model"


def _fill(place: Path, told: dict[str, Any]) -> None:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    room = Environment(
        loader=FileSystemLoader(FILES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    for file, name in {"Dockerfile": "Dockerfile", "compose.yaml": "compose.yaml", "dockerignore": ".dockerignore"}.items():
        (place / name).write_text(room.get_template(file).render(told), encoding="utf-8", newline="\n")


def _readme(task: Task, inner: RunFolder, service: str, form: str, *, torch: bool) -> str:
    spec = inner.record()["spec"]
    asked = _asked(task, _whole(task, spec, examples(task, spec, None)[0]))
    needs = _("with PyTorch's build for CPUs") if torch else _("without PyTorch")
    lines = [
        f"# {service}",
        "",
        _("A container of `weitiao serve` for this run ({form}), {needs}. All it takes is in this folder.").format(form=form, needs=needs),
        "",
        "```bash",
        "docker compose up --build --detach",
        "curl http://127.0.0.1:8000/ready",
        asked,
        "docker compose down",
        "```",
        "",
        "- "
        + _("Without compose:")
        + f" `docker build -t {service} . && docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 {service}`",
        "- " + _("From a mirror:") + " `docker compose build --build-arg PIP_INDEX_URL=https://pypi.tuna.tsinghua.edu.cn/simple`",
        "- " + _("Another base image, or the same by its digest:") + " `--build-arg PYTHON_IMAGE=python:...@sha256:...`",
        "- " + _("It listens on this machine alone. A key for its clients: see compose.yaml."),
        "- " + _("The image holds no row of the data; `run/` here does, in predictions.jsonl: see .dockerignore."),
        "- " + _("What it can do: http://127.0.0.1:8000/docs. The model's card: run/README.md."),
    ]
    return "\n".join(lines) + "\n"


def _asked(task: Task, record: Mapping[str, Any]) -> str:
    """The command that asks a record; a picture in it is the reader's own."""
    curl = "curl http://127.0.0.1:8000/predict -H 'Content-Type: application/json' -d"
    shown = {name: ENCODED if task.fields[name].type == "image" else value for name, value in record.items()}
    body = _quoted(json.dumps(shown, ensure_ascii=False))
    if ENCODED not in body:
        return f"{curl} {body}"
    # By a pipe, since a picture is longer than an argument may be.
    body = body.replace(ENCODED, f"'\"{ENCODED}\"'")
    return f"printf %s {body} | {curl} @-"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
