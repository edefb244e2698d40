"""A run that was published on a hub, under OWNER/NAME: found on this machine, or fetched. It knows nothing of what a run is for."""

from pathlib import Path

from weitiao.engine import endpoint, hub
from weitiao.engine.model_folder import ADAPTER, ADAPTER_CONFIG, needed_files
from weitiao.engine.refusals import Refused
from weitiao.observer import SILENT, Observer
from weitiao.runs import RunFolder, atomic


def published_run(name: str, *, offline: bool = False, observer: Observer = SILENT) -> RunFolder:
    """The run that stands on a hub under this name, with all that it needs to answer.

    Raises:
        Refused: there is none, or it cannot be had, with the cause; "" where nobody was asked, or a model stands there that is no run.
        ModelError, ResourceError: see ``endpoint.download``.
        RunError: its record cannot be read.
    """
    here = hub.on_this_machine(name)
    record = RunFolder(here or "").record_file.name
    if here is not None and (here / record).is_file():
        return RunFolder.open(here)
    if offline or endpoint.offline_asked():
        raise Refused("unreachable", "")
    repository = endpoint.describe(name)
    every = [file.path for file in repository.files]
    if record not in every:
        raise Refused("missing", "")
    inside = tuple(f"{folder.name}/" for folder in (RunFolder(name).model, RunFolder(name).task))
    chosen = {*needed_files(every), *(path for path in every if path in (ADAPTER_CONFIG, ADAPTER) or path.startswith(inside))}
    place = endpoint.download(repository, [*sorted(chosen), record], observer=observer)  # by the record all is known to be here
    _own_files(RunFolder(place).task)
    endpoint.complete(repository)
    return RunFolder.open(place)


def _own_files(task: Path) -> None:
    """Let the task's files stand there themselves: the cache has links, and code is not run by a link."""
    for file in sorted(task.glob("*")):
        if file.is_symlink():
            content = file.read_bytes()
            with atomic(file) as temporary:
                temporary.write_bytes(content)
