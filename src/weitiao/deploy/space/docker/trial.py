"""A docker Space tried out before anybody sees it. No container engine is asked for: the steps of its Dockerfile are done in a fresh
environment, its command is started, and the service must answer as the run does.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weitiao.deploy.space.asked import asked, unlike
from weitiao.deploy.space.likeness import alike
from weitiao.deploy.space.starting import Make, fresh, replied, started
from weitiao.errors import GateError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.tasks.base import Task


def try_out(
    place: Path,
    name: str | Path,
    *,
    make: Make = fresh,
    observer: Observer = SILENT,
    trust_task: bool = False,
    beside: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Start a Space and ask it what the run was asked when it was written: it keeps the run's answers.

    Args:
        place: its folder.
        name: the run.
        make: makes the environment that it runs in.
        trust_task: its own task file may run.
        beside: further examples, with the run's answers, which do not stand in its folder.

    Returns:
        {"asked": how many examples, "equal": how many of them were answered as the run does}.

    Raises:
        GateError: it cannot be installed, does not start, or does not answer as the run does.
    """
    told = asked(place, trust_task=trust_task, beside=beside)
    installs, words = steps(place / "Dockerfile")
    with started(place, make, installs, lambda python, port: _on(python, port, words), ready="/ready", observer=observer) as address:
        observer.note(_("Asking the Space."))
        for example in told.examples:
            status, text = replied(f"{address}/predict", _body(told.task, example["record"], place))
            got = json.loads(text)
            if status != 200 or not (got if told.drawn else alike(example["answer"], got)):
                raise unlike(text[:300], json.dumps(example["answer"], ensure_ascii=False)[:300], example)
    return told.passed


def steps(dockerfile: Path) -> tuple[list[list[str]], list[str]]:
    """What a Dockerfile of ours has pip install, and the command that it starts. Raises GateError where it has another form."""
    text = dockerfile.read_text(encoding="utf-8")
    index = dict(re.findall(r"^ARG (TORCH_INDEX_URL)=(\S+)", text, flags=re.MULTILINE))
    installs = [
        [index.get(word.strip('"$'), word) for word in line.split() if word not in ("--index-url", '"$PIP_INDEX_URL"')]
        for line in re.findall(r"^RUN python -m pip install (.*)$", text, flags=re.MULTILINE)
    ]
    command = re.search(r"^CMD (\[.*\])$", text, flags=re.MULTILINE)
    if not installs or command is None:
        raise GateError(_("{file} is no Dockerfile of weitiao's, so its steps cannot be tried here.").format(file=dockerfile))
    return installs, json.loads(command[1])


def _on(python: Path, port: str, words: list[str]) -> list[str]:
    """The container's command on this machine alone, at a port that is free."""
    here = {"0.0.0.0": "127.0.0.1", "8000": port}
    return [str(python), "-m", *(here.get(word, word) for word in words)]


def _body(task: Task, record: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """A record as the service takes it: pictures in base64."""
    pictured = {field.name for field in task.inputs if field.type == "image"}
    return {
        name: base64.b64encode((place / value).read_bytes()).decode("ascii") if name in pictured and value else value
        for name, value in record.items()
    }
