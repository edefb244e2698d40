"""By which name the base model of a run is found again, from what the run recorded of it. It asks no hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weitiao.errors import ModelError
from weitiao.messages import _


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
