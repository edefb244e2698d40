"""The folder of a container image: the run in the lightest form that it has, everything it needs by version, and how it is built and
started. It knows no container engine.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weitiao import __version__, tasks
from weitiao.deploy.container.pinned import ourselves, pinned
from weitiao.deploy.container.wheel import write_wheel
from weitiao.deploy.lightest import PACKAGE, Export, asked, form_of, further, put, records_of
from weitiao.errors import RunError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import RunFolder, atomic
from weitiao.tasks.base import Task

FILES = Path(__file__).parent / "files"
RUN = "run"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
ENCODED = "$(base64 -w0 picture.png)"  # a picture in a command
STOPS = ("--host", "0.0.0.0", "--port", "8000")


def write_folder(
    name: str | Path, out: str | Path, export: Export, *, overwrite: bool, observer: Observer, trust_task: bool = False
) -> dict[str, Any]:
    """Write the folder, with the run in the lightest form that it has (see ``lightest``).

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
        proof = put(source, task, inner, export, observer)
        observer.note(_("Asking what goes into the container, in a process of its own, to see what it needs."))
        form, used = form_of(inner), asked(inner, task, records_of(task, inner.record()["spec"], inner))
        torch = used.torch
        lines = pinned(["weitiao[serve]", *further(used)])
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
    asks = request(task, records_of(task, spec, None)[0])
    needs = _("with PyTorch's build for CPUs") if torch else _("without PyTorch")
    lines = [
        f"# {service}",
        "",
        _("A container of `weitiao serve` for this run ({form}), {needs}. All it takes is in this folder.").format(form=form, needs=needs),
        "",
        "```bash",
        "docker compose up --build --detach",
        "curl http://127.0.0.1:8000/ready",
        asks,
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


def request(task: Task, record: Mapping[str, Any]) -> str:
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
