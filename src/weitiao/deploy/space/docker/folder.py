"""The folder of a docker Space: the one that ``weitiao export --to docker`` writes, without what is nobody's business."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from weitiao import tasks
from weitiao.deploy.container.folder import RUN, request, write_folder
from weitiao.deploy.lightest import found
from weitiao.deploy.public import publish
from weitiao.deploy.space.pairs import answered
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

ADDRESS = "http://127.0.0.1:8000"


def refusal(task: Task, record: Mapping[str, Any]) -> str:
    """Any run becomes one."""
    return ""


def write(
    name: str | Path,
    place: Path,
    *,
    observer: Observer,
    trust_task: bool = False,
    offline: bool = False,
    rows: bool = True,
    **_how: Any,
) -> dict[str, Any]:
    """Fill a folder.

    Args:
        name: a finished run, or an export.
        place: an empty folder.
        rows: whether rows of the run's data may be its examples; the README asks the first of them.

    Returns:
        {"form", "torch", "packages": how many are pinned, "examples", "beside": see ``pairs.Answered``, "drawn", "told", "commands"}, and
        what the export's gate found.

    Raises:
        MissingPackage: what serves is not installed here.
        ModelError, GateError: the run has no form that answers as it does.
    """
    from weitiao.deploy.export import export

    source, inner = RunFolder.open(name), RunFolder(place / RUN)
    task = tasks.of_run(source.record(), source.task, trust_task=trust_task)
    inside = partial(export, observer=observer, trust_task=trust_task, offline=offline)
    made = write_folder(name, place, inside, overwrite=False, observer=observer, trust_task=trust_task)
    asked = answered(source, inner, task, place, offline=offline, rows=rows, observer=observer)
    publish(inner)
    asks = request(task, asked.pairs[0]["record"]) if asked.pairs else ""
    return {
        **found(made),
        "examples": asked.pairs,
        "beside": asked.beside,
        "drawn": bool(made.get("drawn")),
        "told": [
            _("An HTTP service, described at {path} of its address; anybody who reaches the Space may ask it.").format(path="/docs"),
            _("The hub builds it from the Dockerfile and sends visitors to port 8000."),
        ],
        "commands": ["docker compose up --build --detach", f"curl {ADDRESS}/ready", *([asks] if asks else [])],
    }
