"""A Space's folder, installed and started as a hub would: in a fresh environment with its own requirements, with nothing of this process's,
and without a token in reach. It judges nothing that is answered.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from weitiao.errors import GateError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer

STARTS = 600.0  # seconds that a Space may take to open
INSTALLS = 3600.0  # seconds that its packages may take
ENDS = 20.0  # seconds that it may take to end by itself
_SECRET = re.compile(r"token|secret|passw|_key$|apikey|credential|_auth", re.IGNORECASE)  # in the name of an environment variable
_KEPT = ("PATH", "LANG", "OMP_NUM_THREADS", "SYSTEMROOT", "LD_LIBRARY_PATH")

# Makes an environment for a Space: (a folder for it, the Space, what pip is told, once each) -> its Python.
Make = Callable[[Path, Path, Sequence[Sequence[str]]], Path]


def fresh(place: Path, space: Path, installs: Sequence[Sequence[str]]) -> Path:
    """A new virtual environment. Raises GateError where there can be none, or something cannot be installed."""
    try:
        venv.create(place, with_pip=True)
    except (subprocess.CalledProcessError, OSError) as error:
        message = _(
            "A Space is tried in a virtual environment of its own, and Python cannot make one with pip here: {reason}. On Debian and "
            "Ubuntu type: apt-get install python3-venv"
        )
        raise GateError(message.format(reason=_reason(error))) from error
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    for words in installs:
        command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *words]
        how: dict[str, Any] = {"capture_output": True, "text": True, "timeout": INSTALLS}
        try:
            done = subprocess.run(command, cwd=space, env=without_secrets(os.environ), **how)
        except subprocess.TimeoutExpired as error:
            message = _(
                "What the Space needs was not installed within {minutes:.0f} minutes. Type the command again: what pip has fetched, it "
                "keeps. A mirror nearby is faster: PIP_INDEX_URL=..."
            )
            raise GateError(message.format(minutes=INSTALLS / 60)) from error
        if done.returncode:
            raise GateError(_("What the Space needs cannot be installed: {reason}").format(reason=_last(done.stderr)))
    return python


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Environment variables but those that hold a secret, by their names.

    >>> without_secrets({"PATH": "/bin", "HF_TOKEN": "hf_x"})
    {'PATH': '/bin'}
    """
    return {name: value for name, value in variables.items() if not _SECRET.search(name)}


@contextlib.contextmanager
def started(
    space: Path,
    make: Make,
    installs: Sequence[Sequence[str]],
    command: Callable[[Path, str], Sequence[str]],
    *,
    ready: str = "/",
    variables: Mapping[str, str] | None = None,
    observer: Observer = SILENT,
) -> Iterator[str]:
    """A Space that runs, on this machine alone; its address.

    Args:
        space: its folder.
        make: makes its environment.
        installs: what pip is told, once each.
        command: (its Python, the port) -> what starts it.
        ready: the path that answers with 200 once it can be asked.
        variables: of its environment beside; "{port}" in a value is the port.

    Raises:
        GateError: it cannot be installed, does not start, or goes away while it is asked: an OSError, a ValueError or what http.client
            raises ends the block.
    """
    with tempfile.TemporaryDirectory(prefix="weitiao-space-") as folder:
        room = Path(folder)
        observer.note(_("Installing what the Space needs in an environment of its own; this takes minutes."))
        python = make(room / "environment", space, installs)
        port = _free_port()
        own = {name: os.environ[name] for name in _KEPT if name in os.environ}
        own |= {
            **dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), folder),  # each system's names for them
            "PYTHONDONTWRITEBYTECODE": "1",
            "HF_HUB_OFFLINE": "1",
            "GRADIO_ANALYTICS_ENABLED": "False",
        }
        own |= {name: value.format(port=port) for name, value in (variables or {}).items()}
        log = room / "log"
        with log.open("w", encoding="utf-8") as said:
            process = subprocess.Popen(  # a group of its own, so that what it starts ends with it
                command(python, port), cwd=space, env=own, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            address = f"http://127.0.0.1:{port}"
            _await(address, ready, process, log)
            try:
                yield address
            except (OSError, HTTPException, ValueError) as error:  # it went away, or said what is no answer
                reason = f"{type(error).__name__}: {error}. {_last(log.read_text(encoding='utf-8', errors='replace'))}"
                raise GateError(_("The Space fails when it is asked: {reason}").format(reason=reason)) from error
        finally:
            _end(process)


def replied(url: str, asked: Any = None, *, seconds: float = STARTS) -> tuple[int, str]:
    """The status and the text of an answer.

    Args:
        asked: is posted as JSON; None for a plain look.
        seconds: that it may take.

    Raises:
        OSError, HTTPException: nobody answers.
    """
    content = None if asked is None else json.dumps(asked).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    try:
        # Past any proxy that the environment names.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=seconds) as reply:
            return reply.status, reply.read().decode("utf-8", errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode("utf-8", errors="replace")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a program, and all that it started."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True)
        process.wait()
        return
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDS)
    process.wait()


def _await(address: str, ready: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + STARTS
    while True:
        with contextlib.suppress(OSError, HTTPException):
            if replied(address + ready, seconds=10)[0] == 200:
                return
        if process.poll() is not None:
            reason = _last(log.read_text(encoding="utf-8", errors="replace"))
            raise GateError(_("The Space does not start: {reason}").format(reason=reason))
        if time.monotonic() > end:
            raise GateError(_("The Space did not open within {seconds:.0f} s.").format(seconds=STARTS))
        time.sleep(0.2)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _reason(error: Exception) -> str:
    """What a program said that failed, else what the system said."""
    said = getattr(error, "stdout", None) or getattr(error, "output", None) or b""
    return _last(said.decode("utf-8", errors="replace") if isinstance(said, bytes) else str(said)) if said else str(error)


def _last(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [_("it says nothing")])[-1][:400]
