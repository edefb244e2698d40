"""What a plain install brings, out of what is installed here: pyproject's dependencies and theirs, followed through what packages say of
themselves; and a folder of links to these alone, in which Python finds nothing else. No network is needed.
"""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from weitiao.deploy.container.pinned import closure

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def size_of(brought: Iterable[Distribution]) -> int:
    """Bytes of all their files, compiled ones too."""
    files = {Path(str(file.locate())) for one in brought for file in one.files or ()}
    return sum(file.stat().st_size for file in files if file.is_file())


def linked(place: Path, requirements: Iterable[str]) -> None:
    """Links in a folder to all that requirements bring."""
    for one in closure(requirements).values():
        for file in one.files or ():
            top = Path(str(file)).parts[0]
            link = place / top
            if top not in ("..", "__pycache__") and not top.startswith("weitiao") and not link.exists():
                link.symlink_to(Path(str(one.locate_file(top))))


class Install:
    """A folder that holds weitiao and what ``requirements`` bring, and a Python that sees nothing beside.

    Attributes:
        place: the folder.
    """

    def __init__(self, place: Path, requirements: Iterable[str]) -> None:
        self.place = place
        place.mkdir(parents=True)
        linked(place, requirements)
        (place / "weitiao").symlink_to(ROOT / "src" / "weitiao")
        said = place / "weitiao-0.dist-info"
        said.mkdir()
        extras = PROJECT["optional-dependencies"]
        needed = [*PROJECT["dependencies"], *(f'{need} ; extra == "{name}"' for name, needs in extras.items() for need in needs)]
        lines = ["Metadata-Version: 2.1", "Name: weitiao", "Version: 0", *(f"Requires-Dist: {_marked(need)}" for need in needed)]
        (said / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """``python WORDS`` there."""
        return subprocess.run(
            [sys.executable, "-S", *words], capture_output=True, text=True, timeout=240, env=self.environment(**environment)
        )

    def environment(self, **more: str) -> dict[str, str]:
        """The variables under which Python looks nowhere else, given that it is started with -S."""
        return {**os.environ, "PYTHONPATH": str(self.place), "WEITIAO_LANG": "en", "OMP_NUM_THREADS": "1", **more}


def _marked(need: str) -> str:
    """A requirement with at most one marker: what another one says beside the extra holds on every system that tests run on."""
    head, *markers = need.split(";")
    return f"{head.strip()} ; {markers[-1].strip()}" if markers else head
