"""A workflow of GitHub that publishes a model by itself: on a push to main it checks the data, trains or takes the run that is there,
measures it on rows of its own, stops below the gate, and publishes. What it needs is put into .github/weitiao. Nothing is run here.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from weitiao import tasks
from weitiao.config import DataSettings, nearest, setting_fields
from weitiao.deploy.container.folder import TORCH_INDEX
from weitiao.deploy.publishing.target import check_name
from weitiao.deploy.space.kinds import HUGGINGFACE, possible
from weitiao.deploy.space.sending import check_hardware
from weitiao.deploy.space.shown import ROWS, check_source
from weitiao.deploy.space.workflow_packages import packages_of
from weitiao.engine.base_of_run import named_again
from weitiao.errors import RunError, UsageError
from weitiao.messages import _
from weitiao.metrics import foresee_demands, parse_demands, smaller_is_better
from weitiao.report.rendering import render
from weitiao.runs import RunFolder, write_text, writing
from weitiao.tasks.base import Task

SETUP = ".github/weitiao"
TITLE = "publish"  # of the workflow, and of its file
PYTHON = "3.11"
SECRET = "${{ secrets.HF_TOKEN }}"
# What a machine settles for itself, or what the workflow says.
_NOT_KEPT = ("data", "out", "overwrite", "device", "threads", "precision", "token_budget", "track", "offline", "save_every")


def write(
    name: str | Path,
    place: str | Path,
    *,
    data: str,
    test: str = "",
    gate: Sequence[str],
    push: str,
    sdk: str = "",
    zero_gpu: bool = False,
    title: str = "",
    examples: str = "",
    private: bool = False,
    hardware: str = "",
    endpoint: str = "",
    overwrite: bool = False,
    trust_task: bool = False,
) -> dict[str, Any]:
    """Write the workflow into a repository, with the settings of a run, weitiao as a wheel, and the versions that are installed here.

    Args:
        name: a finished run; its settings are what the workflow trains with.
        place: the repository's folder.
        data: what it trains on: a file or a folder in the repository, or hub:NAME.
        test: a labelled file in the repository that is not trained on, by which the gate decides; "" for the run's own test file.
        gate: figures that must be reached: "accuracy=0.8".
        push: OWNER/NAME on the hub.
        sdk, zero_gpu, title, examples: of the page, see ``write_space``; without an sdk the first kind that the run can
            become, as far as its folder shows.
        private, hardware: where it is published, see ``Sending``.
        endpoint: the hub; "" for the official one.
        overwrite: replace the workflow that stands there.
        trust_task: see ``api.load``.

    Returns:
        {"workflow": its file, "files": all that was written, from ``place``, "sdk": the kind of the page, "why": it is no earlier kind,
        "examples_of": "rows" or "task"}.

    Raises:
        UsageError: something that a workflow could not find or say, or this run does not become such a page.
        MissingPackage: what it takes along is not installed here.
        RunError: the run is not finished, or there is such a workflow.
    """
    run, root = RunFolder.open(name), Path(place)
    record = run.record()
    if record.get("status") != "finished":
        raise RunError(_("{path} is not finished. Go on with: weitiao train --resume {path}").format(path=name))
    check_name(push)
    examples = examples or ROWS
    check_source(examples)
    if not gate:
        raise UsageError(_("A workflow that publishes by itself needs a gate. Say what must be reached, for example --gate accuracy=0.8"))
    gates = _flags_of(gate, record)
    workflow = root / ".github" / "workflows" / f"{TITLE}.yml"
    if workflow.exists() and not overwrite:
        raise RunError(_("{path} exists already. Replace it with --overwrite.").format(path=workflow))
    task = tasks.of_run(record, run.task, trust_task=trust_task)
    (kind, *_others), why = possible(sdk, HUGGINGFACE, task, record, zero_gpu=zero_gpu, run=run)
    if hardware:
        check_hardware(hardware)
    settings = _settings(record, root, task)
    measured = _inside(test or str(record["settings"].get("test", "")), root, "--test")
    trained = data if data.startswith(("hub:", "sample:")) else _inside(data, root, "--data", folder=True)
    settings["test"] = measured
    if measured == trained:
        message = _("--test and --data are both {file}: rows that are trained on say nothing about the gate. Name other rows with --test.")
        raise UsageError(message.format(file=measured))
    packages = packages_of(kind.name, record, trained)
    values = {"SETUP": SETUP, "DATA": trained, "TEST": measured, "RUN": _path_of(run, record, root), "REPO": push, "SPACE": "space"}
    said = {"--title": title, "--hardware": hardware, "--endpoint": endpoint}
    values |= {flag[2:].upper(): value for flag, value in said.items() if value}
    flags = [f'{flag} "${flag[2:].upper()}"' for flag, value in said.items() if value]
    switches = {"--private": private, "--zero-gpu": zero_gpu, "--trust-task": bool(record.get("task_file"))}
    flags += [flag for flag, on in switches.items() if on]
    flags += [f"--examples {examples}"] if examples != ROWS else []
    values |= {f"GATE_{number}": demand for number, demand in enumerate(gate, 1)}
    text = render(
        "workflow.yml.j2",
        package="weitiao.deploy.space",
        said=_plainly(_("Written by weitiao; change it as you like. It needs the secret HF_TOKEN (Settings, Secrets and variables).")),
        title=TITLE,
        values={key: _quoted(value) for key, value in values.items()},
        python=PYTHON,
        gates=_plainly("".join(f' {flag} "$GATE_{number}"' for number, flag in enumerate(gates, 1))),
        trust=" --trust-task" if record.get("task_file") else "",
        publishing=_plainly("".join(f" {flag}" for flag in flags)),
        torch_index=TORCH_INDEX,
        secret=_plainly(SECRET),
        sdk=kind.name,
    )
    setup = root / SETUP
    with writing(setup):
        setup.mkdir(parents=True, exist_ok=True)
        workflow.parent.mkdir(parents=True, exist_ok=True)
    _write_settings(setup / "settings.yaml", settings)
    packages.write(setup, SETUP)
    _replace_task(setup / "task", run.task if record.get("task_file") else None)
    write_text(workflow, text.rstrip("\n") + "\n")
    files = [workflow, *sorted(file for file in setup.rglob("*") if file.is_file())]
    told = {"workflow": str(workflow), "files": [file.relative_to(root).as_posix() for file in files]}
    return {**told, "sdk": kind.name, "why": why, "examples_of": examples}


def _flags_of(gate: Sequence[str], record: Mapping[str, Any]) -> list[str]:
    """For each demand the flag of ``weitiao evaluate`` that asks for it. Raises UsageError for a figure that the run does not have, or a
    value that it never has.
    """
    own = bool(record.get("task_file"))
    evaluation, demands = record.get("evaluation") or {}, parse_demands(gate, "--gate", own=own)
    known = evaluation.get("metrics") or {}
    for demand in demands:
        if known and demand.metric not in known:
            message = _('The run was not measured by "{metric}" (--gate); its figures are: {names}.')
            names = _(", ").join(name for name, value in known.items() if isinstance(value, (int, float)))
            raise UsageError(message.format(metric=demand.metric, names=names) + nearest(demand.metric, list(known)))
    falling = [smaller_is_better(demand.metric, evaluation) for demand in demands]
    least, most = ([one for one, less in zip(demands, falling, strict=True) if less is side] for side in (False, True))
    foresee_demands(least, most, evaluation, own=own)
    return ["--at-most" if less else "--at-least" for less in falling]


def _settings(record: Mapping[str, Any], root: Path, task: Task) -> dict[str, Any]:
    """What the run was trained with, as far as it differs from what is usual, by names that mean something elsewhere."""
    usual = tasks.recipe({}, task).flat()
    given = {name: value for name, value in record["settings"].items() if name not in _NOT_KEPT and value != usual.get(name)}
    given["task"] = f"{SETUP}/task/{record['task_file']['name']}" if record.get("task_file") else record["task"]
    base = record["base_model"]
    if base["source"] == "folder":
        given["model"] = _inside(str(base.get("folder") or base["id"]), root, "--model", folder=True)
    else:
        given |= {name: value for name, value in named_again(base, record["settings"]["model"]).items() if value}
    columns = set(setting_fields(tasks.settings_of(task)))
    for name in ("valid",):
        if isinstance(given.get(name), str) and not re.fullmatch(r"[\d.]*", given[name]):
            given[name] = _inside(given[name], root, f"--{name}")
    for name in {*columns, *setting_fields(DataSettings)} & given.keys():
        _refuse_expressions(str(given[name]))
    return given


def _inside(name: str, root: Path, flag: str, *, folder: bool = False) -> str:
    """A file by its path in the repository. Raises UsageError where it does not stand there: a workflow knows nothing else."""
    if not name or re.fullmatch(r"[\d.]+", name):
        message = _(
            "The gate needs labelled rows that are not trained on: name a file of the repository with {flag}. Rows that are drawn from the "
            "training data are others as soon as a row is added."
        )
        raise UsageError(message.format(flag=flag))
    path = Path(name)
    there = next((one for one in (path, root / path) if one.is_file() or (folder and one.is_dir())), None)
    if there is None:
        raise UsageError(_("{flag} is {name}, and there is no such file.").format(flag=flag, name=name))
    if not there.resolve().is_relative_to(root.resolve()):
        message = _("{flag} is {name}, which lies outside of the repository {place}, so a workflow cannot find it. Put it there.")
        raise UsageError(message.format(flag=flag, name=name, place=os.path.relpath(root)))
    return there.resolve().relative_to(root.resolve()).as_posix()


def _path_of(run: RunFolder, record: Mapping[str, Any], root: Path) -> str:
    """Where the run stands in the repository, or will, as soon as it is trained there."""
    where = run.path.resolve()
    return (
        where.relative_to(root.resolve()).as_posix()
        if where.is_relative_to(root.resolve())
        else f"runs/{PurePosixPath(record['name']).name}"
    )


def _quoted(value: str) -> Any:
    """A value as YAML on one line; nothing in it means anything to GitHub."""
    import yaml

    _refuse_expressions(value)
    return _plainly(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=float("inf")).rstrip("\n"))


def _refuse_expressions(value: str) -> None:
    if "${{" in value:
        message = _('"{value}" holds {mark}, which GitHub would replace by something else. Rename it.')
        raise UsageError(message.format(value=value, mark="${{"))


def _plainly(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)


def _write_settings(file: Path, settings: Mapping[str, Any]) -> None:
    import yaml

    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    write_text(file, yaml.safe_dump(plain, sort_keys=True, allow_unicode=True))


def _replace_task(place: Path, task: Path | None) -> None:
    """The run's own task file and those beside it, and none that an earlier workflow left."""
    shutil.rmtree(place, ignore_errors=True)
    if task is not None:
        shutil.copytree(task, place, ignore=shutil.ignore_patterns("__pycache__"))
