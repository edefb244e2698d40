"""ModelScope, where its package is installed: the same questions as to the other hub.

It knows nothing of local folders, of what makes a model whole, or of what to try instead.
"""

import os
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from weitiao.engine.model_folder import NEEDED
from weitiao.engine.refusals import CONNECT_SECONDS, Refused, ask, because, in_background
from weitiao.messages import _
from weitiao.observer import SILENT, Observer

DEFAULT_ENDPOINT = "https://modelscope.cn"


def installed() -> bool:
    """Whether the ``modelscope`` package is there; it is not imported."""
    return find_spec("modelscope") is not None


def cached(name: str, *, revision: str = "") -> Path | None:
    """The folder of a model that ModelScope's package fetched earlier, without a network; None where there is none."""
    try:
        return _snapshot(name, revision, local_files_only=True)
    except Exception:  # whatever its package says of an empty cache, the answer is the same
        return None


def fetch(name: str, *, revision: str = "", observer: Observer = SILENT) -> Path:
    """Fetch a model from ModelScope into that package's own cache.

    Raises:
        Refused: with the cause.
    """
    if "/" not in name:
        raise Refused("missing", _("names there are OWNER/NAME"))
    endpoint = (os.environ.get("MODELSCOPE_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    try:
        # Its package retries for minutes: whether anyone is there, and knows the name, is found out first.
        ask(endpoint, lambda: urllib.request.urlopen(f"{endpoint}/api/v1/models/{name}", timeout=CONNECT_SECONDS).close())
        thread, outcome = in_background(lambda: _snapshot(name, revision))
        while not outcome:
            thread.join(0.1)
            observer.progress("fetch", 0, None, {})
        folder, error = outcome[0]
        if error:
            raise error
        return Path(folder)
    except Exception as error:
        raise because(error) from error


def _snapshot(name: str, revision: str, **settings: Any) -> Path:
    from modelscope.hub.snapshot_download import snapshot_download

    return Path(snapshot_download(name, revision=revision or None, allow_patterns=list(NEEDED), **settings))
