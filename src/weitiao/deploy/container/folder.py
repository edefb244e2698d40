"""The folder of a container image: the run in the lightest form that it has, everything it needs by version, and how it is built and
started. It knows no container engine; what needs torch is found out by asking the run in a process of its own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from weitiao import __version__, tasks
from weitiao.deploy import gate
from weitiao.deploy.container.pinned import extra, extras, ourselves, pinned
from weitiao.deploy.container.wheel import write_wheel
from weitiao.deploy.runtime import is_torch_free
from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import RunFolder, atomic
from weitiao.tasks.base import Task

PACKAGE = Path(__file__).parents[2]
FILES = Path(__file__).parent / "files"
RUN = "run"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
ASKED = 4  # rows that show what the run needs
STOPS = ("--host", "0.0.0.0", "--port", "8000")
_PROBE = """
import json, sys
import weitiao
run = weitiao.load(sys.argv[1], trust_task=sys.argv[2] == "trust")
for record in json.load(sys.stdin):
    try:
        run.predict([record])
    except weitiao.DataError:  # a picture that is not on this machine
        pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""

Export = Callable[[str | Path, str, Path], dict[str, Any]]


def write_folder(
    name: str | Path, out: str | Path, export: Export, *, overwrite: bool, observer: Observer, trust_task: bool = False
) -> dict[str, Any]:
    """Write the folder.

    Args:
        name: a finished run, or an export.
        out: a folder that is not there yet, or an earlier one of these with ``overwrite``.
        export: writes a run in another form: (run, form, folder) -> what was found.
        trust_task: the run's own task file may run, here and in the container.

    Returns:
        {"out", "to": "docker", "form": of the run in it, "torch": whether it needs it, "packages": how many are pinned, "bytes"}, and what
        the export's own gate found, if one was made.

    Raises:
        RunError: ``out`` is taken.
        MissingPackage: what serves is not installed here.
        ModelError: the run in the folder does not answer.
        GateError: the export does not answer as the run does.
    """
    target = RunFolder(out)
    target.check_free(overwrite=overwrite, mark=f"{RUN}/run.json")
    source = RunFolder.open(name)
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
        shutil.copytree(source.path, inner.path)
        return {}
    if task.answers_by != "generate":
        try:
            return _found(export(source.path, "onnx", inner.path))
        except ModelError as error:
            observer.note(_("The container will need torch: {reason}").format(reason=error))
    return _found(export(source.path, "merged", inner.path))


def _found(proof: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in proof.items() if name not in ("out", "to", "bytes")}


def _used(inner: RunFolder, task: Task) -> set[str]:
    """The modules that answering imports. Raises ModelError where the run, as it stands in the folder, does not answer."""
    held, _held = gate.held_out(inner, task, ASKED)
    example = task.prepare({**dict.fromkeys(task.fields), **task.example})
    records = [{field.name: one[field.name] for field in task.inputs if one.get(field.name) is not None} for one in (*held, example)]
    trust = "trust" if task.origin else ""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, str(inner.path), trust],
        input=json.dumps(records),
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise ModelError(_("The run does not answer from its folder alone: {reason}").format(reason=last))
    return set(json.loads(done.stdout.splitlines()[-1]))


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
    return re.sub(r"[^a-z0-9]+", "-", source.path.absolute().name.lower()).strip("-")[:60] or "model"


def _fill(place: Path, told: dict[str, Any]) -> None:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    room = Environment(
        loader=FileSystemLoader(FILES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    for file, name in {"Dockerfile": "Dockerfile", "compose.yaml": "compose.yaml", "dockerignore": ".dockerignore"}.items():
        (place / name).write_text(room.get_template(file).render(told), encoding="utf-8", newline="\n")


def _readme(task: Task, inner: RunFolder, service: str, form: str, *, torch: bool) -> str:
    asked = json.dumps({field.name: task.example[field.name] for field in task.inputs if _plain(task, field.name)}, ensure_ascii=False)
    needs = _("with PyTorch's build for CPUs") if torch else _("without PyTorch")
    lines = [
        f"# {service}",
        "",
        _("A container of `weitiao serve` for this run ({form}), {needs}. All it takes is in this folder.").format(form=form, needs=needs),
        "",
        "```bash",
        "docker compose up --build --detach",
        "curl http://127.0.0.1:8000/ready",
        f"curl http://127.0.0.1:8000/predict -H 'Content-Type: application/json' -d {_quoted(asked)}",
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


def _plain(task: Task, name: str) -> bool:
    """Whether a field of the example can be typed: it is there, and no picture."""
    return task.example.get(name) is not None and task.fields[name].type != "image"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
