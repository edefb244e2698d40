"""Which task files, and which repositories' code, this machine's user has let run: their checksums, in the user's own state folder. A task
file inside a run is code, and so is what a run's record says may run: what came from elsewhere must not run by itself.

It knows checksums and no Python; nothing here runs anything. To take back trust in a file, delete its line.
"""

import hashlib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

NAME = "trusted-task-files.txt"


def state_folder() -> Path:
    """Where programs keep what must outlive a restart and is no cache: $XDG_STATE_HOME, or the platform's own place."""
    given = os.environ.get("XDG_STATE_HOME")
    if given:
        return Path(given) / "weitiao"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "weitiao"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "weitiao"
    return Path.home() / ".local" / "state" / "weitiao"


def unknown(sums: Mapping[str, str]) -> list[str]:
    """Of files by name with their sha256 those that were never let run here."""
    known = _known()
    return [name for name, digest in sums.items() if digest not in known]


def remember(sums: Mapping[str, str]) -> None:
    """Let these files run from now on. Where the list cannot be written, they have to be named again next time."""
    new = unknown(sums)
    if not new:
        return
    with suppress(OSError):
        state_folder().mkdir(parents=True, exist_ok=True)
        with (state_folder() / NAME).open("a", encoding="utf-8") as file:
            file.writelines(f"{sums[name]}  {name}\n" for name in new)  # as sha256sum writes


def repository(name: str) -> dict[str, str]:
    """A repository whose Python code may run, as one of these files: by its name, since the code itself is fetched later.

    >>> [*repository("ann/odd-model")]
    ['ann/odd-model']
    """
    return {name: hashlib.sha256(f"trust_remote_code {name}".encode()).hexdigest()}


def _known() -> set[str]:
    try:
        lines = (state_folder() / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return {line.split()[0] for line in lines if line.strip()}
