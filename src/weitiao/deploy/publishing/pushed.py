"""``weitiao push``: a run as a repository of models. Its model stands at the top, where transformers and PEFT look for it, and beside it
what weitiao needs to answer as the run did: its record and a task file of somebody's own. Rows, logs and reports stay at home.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weitiao.deploy.public import public
from weitiao.deploy.publishing.target import check_name, target_of
from weitiao.deploy.publishing.upload import upload
from weitiao.engine.model_folder import is_adapter
from weitiao.errors import ModelError, RunError
from weitiao.forms import form_of
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.report.card import write_card
from weitiao.runs import AT_TOP, RunFolder, atomic, write_text


def push(
    name: str | Path,
    repo: str,
    *,
    private: bool = False,
    endpoint: str = "",
    message: str = "",
    overwrite: bool = False,
    offline: bool = False,
    out: str | Path = "",
    observer: Observer = SILENT,
) -> dict[str, Any]:
    """Publish the model of a run, or an export, with its card.

    Args:
        name: a finished run's folder, or an export's.
        repo: OWNER/NAME.
        private, endpoint, message, overwrite, offline: see ``upload``.
        out: send nothing, and write what would be sent into this folder, which is not there yet.

    Returns:
        {"repo", "address": "" where nothing was sent, "kind": "model", "adapter", "files": their names, "bytes"}.

    Raises:
        RunError: the run is not finished, or ``out`` is taken.
        ModelError: nobody else could use it: an adapter whose base stands on this machine alone.
        UsageError, NetworkError, RunError: see ``upload``.
    """
    run = RunFolder.open(name)
    record = run.record()
    if record.get("status") != "finished":
        raise RunError(_("{path} is not finished. Go on with: weitiao train --resume {path}").format(path=name))
    adapter = is_adapter(run.model)
    if adapter and (record.get("base_model") or {}).get("source") in ("folder", "blank"):
        text = _(
            "{path} is an adapter on a base model that stands in a folder of this machine, so nobody else could use it. Make one model of "
            "the two and push that: weitiao export {path} --to merged --out {path}-merged"
        )
        raise ModelError(text.format(path=name))
    if out:
        check_name(repo)
        RunFolder(out).check_free()
    else:
        target_of(repo, "model", endpoint=endpoint, offline=offline)  # what is wrong with it is said before anything is copied
    with atomic(Path(out)) if out else _beside(run.path) as place:
        # Links would let whoever tries something in that folder change the run.
        assemble(run, repo, place, copy=shutil.copy2 if out else _linked)
        files = sorted(file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file())
        size = sum((place / file).stat().st_size for file in files)
        observer.note(_("The rows, their predictions, the logs and the report stay here: they hold your texts."))
        if run.task.is_dir():
            observer.note(
                _("The task file goes along: {files}").format(files=_(", ").join(f for f in files if f.startswith(run.task.name)))
            )
        how: dict[str, Any] = {"private": private, "endpoint": endpoint, "message": message, "overwrite": overwrite, "offline": offline}
        address = "" if out else upload(place, repo, kind="model", observer=observer, **how)
    return {"repo": repo, "address": address, "kind": "model", "adapter": adapter, "files": files, "bytes": size}


def assemble(run: RunFolder, repo: str, place: Path, *, copy: Callable[[str, str], object]) -> None:
    """Write into an empty folder what of a run is published under OWNER/NAME.

    Args:
        copy: brings a file there: (from, to).
    """
    record = run.record()
    at_top = not form_of(record).reader  # what answers without torch is found by weitiao alone, by its hashes
    left = run.card_and_record if run.model == run.path else (run.card.name,)  # PEFT writes a card of its own into its folder
    ignored = shutil.ignore_patterns(*left, ".*")
    shutil.copytree(run.model, place if at_top else place / run.model.name, dirs_exist_ok=True, copy_function=copy, ignore=ignored)
    if record.get("task_file"):
        shutil.copytree(run.task, place / run.task.name, copy_function=copy, ignore=shutil.ignore_patterns("__pycache__"))
    told = published_record(record, repo, at_top=at_top)
    write_text(RunFolder(place).record_file, json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    made = RunFolder.open(place)  # by its record it knows where its model stands
    write_card(made, check=run.check(), published=repo)


def published_record(record: Mapping[str, Any], repo: str, *, at_top: bool) -> dict[str, Any]:
    """A run's record as anybody may read it: no place of this machine, no row of the data.

    >>> published_record({"name": "run", "command": ["weitiao"]}, "ann/mt", at_top=True)["name"]
    'mt'
    """
    told = public(record)
    settings = told.get("settings") or {}
    for mine in ("out", "overwrite"):
        settings.pop(mine, None)
    name = repo.partition("/")[2]
    return {**told, "name": name, "published": {"repo": repo, **({"model": AT_TOP} if at_top else {})}}


@contextmanager
def _beside(run: Path) -> Iterator[Path]:
    """An empty folder on the run's own disk, so that large files need no copy; elsewhere where that disk cannot be written."""
    there = run.resolve().parent
    with tempfile.TemporaryDirectory(prefix=".push-", dir=there if os.access(there, os.W_OK) else None) as place:
        yield Path(place)


def _linked(source: str, target: str) -> str:
    """The same file under another name, or a copy where the disk has no such names."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copy2(source, target)
    return target
