"""A Space's folder, installed and started as a hub would: in a fresh environment with its own requirements, with nothing of this process's,
and without a token in reach. It asks nothing and judges nothing.
"""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx

from weitiao.errors import GateError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer

STARTS = 600.0  # seconds that a Space may take to open
INSTALLS = 3600.0  # seconds that its packages may take
_SECRET = re.compile(r"token|secret|passw|_key$|apikey|credential|_auth", re.IGNORECASE)  # in the name of an environment variable
_KEPT = ("PATH", "LANG", "OMP_NUM_THREADS", "SYSTEMROOT", "LD_LIBRARY_PATH")

# Makes an environment for a Space: (a folder for it, the Space, what pip is told, once each) -> its Python.
Make = Callable[[Path, Path, Sequence[Sequence[str]]], Path]


def fresh(place: Path, space: Path, installs: Sequence[Sequence[str]]) -> Path:
    """A new virtual environment. Raises GateError where something cannot be installed."""
    venv.create(place, with_pip=True)
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    for words in installs:
        command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *words]
        done = subprocess.run(command, cwd=space, env=without_secrets(os.environ), capture_output=True, text=True, timeout=INSTALLS)
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
) -> Iterator[httpx.Client]:
    """A Space that runs, on this machine alone; a client of it.

    Args:
        space: its folder.
        make: makes its environment.
        installs: what pip is told, once each.
        command: (its Python, the port) -> what starts it.
        ready: the path that answers with 200 once it can be asked.
        variables: of its environment beside; "{port}" in a value is the port.

    Raises:
        GateError: it cannot be installed, does not start, or goes away while it is asked.
    """
    with tempfile.TemporaryDirectory(prefix="weitiao-space-") as folder:
        room = Path(folder)
        observer.note(_("Installing what the Space needs in an environment of its own; this takes minutes."))
        python = make(room / "environment", space, installs)
        port = _free_port()
        own = {name: os.environ[name] for name in _KEPT if name in os.environ}
        own |= {
            "HOME": folder,
            "TMPDIR": folder,
            "PYTHONDONTWRITEBYTECODE": "1",
            "HF_HUB_OFFLINE": "1",
            "GRADIO_ANALYTICS_ENABLED": "False",
        }
        own |= {name: value.format(port=port) for name, value in (variables or {}).items()}
        log = room / "log"
        with log.open("w", encoding="utf-8") as said:
            process = subprocess.Popen(command(python, port), cwd=space, env=own, stdout=said, stderr=subprocess.STDOUT)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=STARTS, trust_env=False) as client:
                _await(client, ready, process, log)
                try:
                    yield client
                except (httpx.HTTPError, ValueError) as error:  # it went away, or said what is no answer
                    reason = f"{type(error).__name__}: {error}. {_last(log.read_text(encoding='utf-8', errors='replace'))}"
                    raise GateError(_("The Space fails when it is asked: {reason}").format(reason=reason)) from error
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(client: httpx.Client, ready: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + STARTS
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if client.get(ready, timeout=10).status_code == 200:
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


def _last(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [_("it says nothing")])[-1][:400]
