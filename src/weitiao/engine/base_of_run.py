"""By which name the base model of a run is found again, from what the run recorded of it; and what such a run hands on of it, where its own
model becomes a base. It asks no hub.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weitiao.errors import ModelError, RunError
from weitiao.messages import _
from weitiao.runs import RunFolder


def named_again(base: Mapping[str, Any], named: str) -> dict[str, str]:
    """The settings "model" and "revision" by which a run's base model is found again, its commit included: a branch may have moved on.

    >>> named_again({"source": "cache", "id": "gpt2", "revision": "e7da7f2"}, "auto")
    {'model': 'gpt2', 'revision': 'e7da7f2'}

    Raises:
        ModelError: see ``name_of``.
    """
    revision = base["revision"] if base["source"] in ("hub", "cache", "modelscope") else ""
    return {"model": name_of(base, named), "revision": revision}


def name_of(base: Mapping[str, Any], named: str) -> str:
    """What ``resolve`` takes for the base model of a run: the one that was chosen then, even if "auto" would choose another today.

    >>> name_of({"source": "offline", "id": "offline:all-MiniLM-L6-v2"}, "auto"), name_of({"source": "hub", "id": "gpt2"}, "auto")
    ('offline:all-MiniLM-L6-v2', 'gpt2')

    Raises:
        ModelError: it was a folder that is not there any more. Its name is asked of no hub: it may be somebody else's there.
    """
    if base["source"] != "folder":
        return str(named if base["source"] == "blank" else base["id"])
    # Where it stood, wherever the command runs now; or, where the whole place was moved, as it was typed.
    places = [place for place in (base.get("folder", ""), named) if place]
    there = next((place for place in places if Path(place).expanduser().is_dir()), None)
    if there is None:
        message = _("The folder {folder}, from which this run was made, is not there any more. Put it back.")
        raise ModelError(message.format(folder=places[0]))
    return str(there)


def handed_on(folder: Path) -> dict[str, str]:
    """What the model in a run's folder hands on of what the run was made from: {"name": the run's, "made_from": its base's id, or what that
    one was made from, "" where nobody else knows it, "license"}; {} for a folder that is no run's model.
    """
    place = folder.resolve()
    for path in (place.parent, place):  # beside its record stands the model of a run that was published
        try:
            run = RunFolder.open(path) if RunFolder(path).record_file.is_file() else None
            record = run.record() if run else {}
        except RunError:
            continue
        if run and run.model.resolve() == place:
            base = record.get("base_model") or {}
            own = "" if base.get("source") in ("folder", "blank") else base.get("id")
            return {"name": path.name, "made_from": str(base.get("made_from") or own or ""), "license": str(base.get("license") or "")}
    return {}
