"""Which folder on this machine a name means: a run's, a model's, the packaged base's, or that of a hub's model. It opens no socket."""

from dataclasses import dataclass
from pathlib import Path

from weitiao.config import nearest
from weitiao.data.hub_cache import is_hub_name
from weitiao.engine import hub, offline_base
from weitiao.engine.architectures import refuse_blank
from weitiao.engine.catalog import TABLE
from weitiao.engine.model_folder import ADAPTER_CONFIG
from weitiao.errors import ModelError, NetworkError, RunError, UsageError
from weitiao.messages import _
from weitiao.runs import RunFolder


@dataclass(frozen=True)
class Place:
    """Where a model was found.

    Attributes:
        name: as it was given.
        folder: of the model.
        run: the run it belongs to, None for a model by itself.
    """

    name: str
    folder: Path
    run: RunFolder | None = None


def find(name: str) -> Place:
    """The folder that a name means.

    Raises:
        NetworkError: a hub's model that is not here.
        ModelError: no folder, or one without a model.
        RunError: a run without a model.
        UsageError: a name that stands for no model of its own.
    """
    path = Path(name).expanduser()
    if RunFolder(path).record_file.is_file():
        run = RunFolder.open(path)
        if not run.model.is_dir():
            message = _("{path} has no model yet: its status is {status}. Go on with: weitiao train --resume {path}")
            raise RunError(message.format(path=name, status=run.record().get("status") or "?"))
        return Place(name, run.model, run)
    if path.is_dir():
        if not any((path / file).is_file() for file in ("config.json", ADAPTER_CONFIG)):
            held = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
            message = _("{path} is no model folder: it has neither config.json nor adapter_config.json. It holds: {files}.")
            raise ModelError(message.format(path=name, files=", ".join(held[:8]) or _("nothing")))
        return Place(name, path)
    if path.is_file():
        message = _("{path} is a file. Name the folder that it stands in: weitiao show {folder}")
        raise ModelError(message.format(path=name, folder=path.parent))
    if offline_base.is_offline(name):
        return Place(name, offline_base.meant(name).folder())
    _refuse_other_names(name)
    # "runs/reviewz" could be a hub's name, but not where there is a folder "runs".
    if not is_hub_name(name) or ("/" in name and path.parent.is_dir() and hub.on_this_machine(name) is None):
        siblings = [str(entry) for entry in path.parent.iterdir() if entry.is_dir()] if path.parent.is_dir() else []
        message = _("There is no folder {path}. Name a run, a model's folder, a hub id (OWNER/NAME), or offline.")
        raise ModelError(message.format(path=name) + nearest(name, siblings))
    place = hub.on_this_machine(name)
    if place is None or not (place / "config.json").is_file():
        message = _("{name} is not on this machine, and this command looks only at what is. Get it first: weitiao fetch {name}")
        raise NetworkError(message.format(name=name) + nearest(name, [choice.id for choice in TABLE if choice.id != name]))
    return Place(name, place)


def _refuse_other_names(name: str) -> None:
    """Names that a training takes for --model, and that are no model yet. Raises UsageError."""
    if name == "auto":
        raise UsageError(_('"auto" is no model but a choice. See what it chooses from: weitiao models'))
    refuse_blank(name)
