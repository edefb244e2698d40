"""A headless Chromium that opens one address, and is gone afterwards with all that it wrote. It knows no page."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


def find() -> str:
    """Where it is. Raises MissingPackage where it is not, with what to type."""
    named = os.environ.get(NAMED)
    found = next(
        (place for place in [named, *map(shutil.which, NAMES), *map(os.path.expandvars, PLACES)] if place and Path(place).is_file()), ""
    )
    if not found:
        message = _(
            "A static page is tried in Chromium before it goes anywhere, and there is none on this machine. On Debian and Ubuntu type: "
            "apt-get install chromium. Elsewhere install Chromium or Chrome, or name it: {variable}=/path/to/chrome. A Space that answers "
            "on a server needs none: --sdk gradio"
        )
        raise MissingPackage(message.format(variable=NAMED))
    return found


@contextmanager
def opened(url: str, program: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The browser at an address, for the time of the block."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="weitiao-chromium-", ignore_cleanup_errors=True) as profile:
        sandbox = ["--no-sandbox"] if root else []  # which Chromium refuses to start with as root
        command = [program, *SWITCHES, *sandbox, f"--user-data-dir={profile}", url]
        apart = {"start_new_session": True} if sys.platform != "win32" else {}
        with Path(profile, "stderr.txt").open("wb") as heard:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=heard, **apart)  # type: ignore[call-overload]
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
