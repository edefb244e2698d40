"""A headless Chromium that opens one address, and is gone afterwards with all that it wrote. It knows no page."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from weitiao.errors import MissingPackage
from weitiao.messages import _

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    *(
        rf"{folder}\{program}"
        for folder in ("%LOCALAPPDATA%", "%ProgramFiles%", "%ProgramFiles(x86)%", r"C:\Program Files", r"C:\Program Files (x86)")
        for program in (
            r"Google\Chrome\Application\chrome.exe",
            r"Chromium\Application\chrome.exe",
            r"Microsoft\Edge\Application\msedge.exe",
        )
    ),
)
NAMED = "WEITIAO_CHROMIUM"  # a path in the environment
# Nothing but what it is told to open: no updates, no lists of dangerous sites, no sign-in.
SWITCHES = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
)
PATIENCE = 10  # seconds for it to end by itself


@dataclass(frozen=True)
class Opened:
    """A browser that runs, or ran.

    Attributes:
        process: the first of its processes.
        heard: the file that it complains into, which is gone with it.
    """

    process: "subprocess.Popen[bytes]"
    heard: Path

    def last_words(self) -> str:
        """The last line of what it has complained of, at most 300 characters."""
        lines = self.heard.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]


def find() -> str:
    """Where it is. Raises MissingPackage where it is not, with what to type."""
    named = os.environ.get(NAMED)
    found = next(
        (place for place in [named, *map(shutil.which, NAMES), *map(os.path.expandvars, PLACES)] if place and Path(place).is_file()), ""
    )
    if not found:
        message = _(
            "A static page is tried in Chromium before it goes anywhere, and there is none on this machine. On Debian type: apt-get "
            "install chromium; on Ubuntu: apt-get install chromium-browser, which brings the snap. Elsewhere install Chromium or Chrome, "
            "or name it: {variable}=/path/to/chrome. A Space that answers on a server needs none: --sdk gradio"
        )
        raise MissingPackage(message.format(variable=NAMED))
    return found


@contextmanager
def opened(url: str, program: str) -> Iterator[Opened]:
    """The browser at an address, for the time of the block. Whatever it started ends with it."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="weitiao-chromium-", ignore_cleanup_errors=True) as profile:
        sandbox = ["--no-sandbox"] if root else []  # which Chromium refuses to start with as root
        command = [program, *SWITCHES, *sandbox, f"--user-data-dir={profile}", url]
        apart = {"start_new_session": True} if sys.platform != "win32" else {}
        file = Path(profile, "stderr.txt")
        with file.open("wb") as heard:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=heard, **apart)  # type: ignore[call-overload]
            try:
                yield Opened(process, file)
            finally:
                _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """It and all that it started: those outlive a first process that is ended alone."""
    _tell(process, kill=False)
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    _tell(process, kill=True)
    process.wait()


def _tell(process: "subprocess.Popen[bytes]", *, kill: bool) -> None:
    if sys.platform == "win32":
        (process.kill if kill else process.terminate)()
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
        os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)  # the leader of its own session
