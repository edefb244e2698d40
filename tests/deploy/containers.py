"""The steps of a Dockerfile, done outside a container: in a folder that stands for the image's root, in an environment of its own."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deploy.installed import linked
from tests.deploy.servers import Running, started


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, what stands behind it), comments left out and lines that go on joined."""
    lines = [line for line in dockerfile.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n", "", "\n".join(lines))
    return [(word, rest) for line in whole.splitlines() if line.strip() for word, _blank, rest in [line.strip().partition(" ")]]


@dataclass
class Image:
    """What came of the steps.

    Attributes:
        folder: what holds the Dockerfile.
        root: what stands for "/".
        online: whether packages come from an index; else they are links to what is installed here, and only what pip is told is checked.
        variables: of the environment.
        told: what later instructions said: USER, CMD, HEALTHCHECK, ...
    """

    folder: Path
    root: Path
    online: bool
    variables: dict[str, str] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    work: Path = field(default_factory=Path)

    def build(self) -> "Image":
        """Do every step, in order."""
        self.work = self.root
        self._environment()
        for word, rest in instructions(self.folder / "Dockerfile"):
            text = re.sub(r"\$\{?(\w+)\}?", lambda match: self.variables.get(match[1], ""), rest) if word not in ("CMD", "RUN") else rest
            getattr(self, f"_{word.lower()}", self._tell(word))(text)
        return self

    def _environment(self) -> None:
        self.variables = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        tools = self.root / "venv" / "bin"
        if self.online:
            venv.create(self.root / "venv", with_pip=True)
        else:
            tools.mkdir(parents=True)
            self.variables["PYTHONPATH"] = str(self.root / "site")
            (self.root / "site").mkdir()
            self._script(tools / "python", f'exec {sys.executable} -S "$@"')
            self._script(tools / "weitiao", f'exec {sys.executable} -S -m weitiao "$@"')
        self.variables["PATH"] = f"{tools}{os.pathsep}{self.variables['PATH']}"

    def _script(self, place: Path, line: str) -> None:
        place.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        place.chmod(0o755)

    def _tell(self, word: str) -> Any:
        return lambda text: self.told.__setitem__(word, text)

    def _arg(self, text: str) -> None:
        name, _equals, value = text.partition("=")
        self.variables.setdefault(name, value)

    def _env(self, text: str) -> None:
        self.variables |= dict(pair.split("=", 1) for pair in text.split())

    def _workdir(self, text: str) -> None:
        self.work = self.root / text.lstrip("/")
        self.work.mkdir(parents=True)

    def _copy(self, text: str) -> None:
        *sources, to = [word for word in text.split() if not word.startswith("--")]
        for source in sources:
            for file in [self.folder / source] if (self.folder / source).is_file() else (self.folder / source).rglob("*"):
                if file.is_file() and not ignored(self.folder, file):
                    inner = file.relative_to(self.folder / source) if (self.folder / source).is_dir() else Path(file.name)
                    (self.work / to / inner).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(file, self.work / to / inner)

    def _run(self, text: str) -> None:
        if self.online:
            subprocess.run(["/bin/sh", "-c", text], cwd=self.work, env=self.variables, check=True)
            return
        words = text.split()
        assert words[:4] == ["python", "-m", "pip", "install"], words
        if "--requirement" in words:
            lines = (self.work / words[words.index("--requirement") + 1]).read_text(encoding="utf-8").split()
            assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), lines
            linked(self.root / "site", lines)
        else:
            assert "--no-index" in words and "--no-deps" in words
            with zipfile.ZipFile(self.work / words[-1]) as wheel:
                wheel.extractall(self.root / "site")

    @property
    def command(self) -> list[str]:
        """What the container runs."""
        return list(json.loads(self.told["CMD"]))

    def healthy(self, port: str) -> bool:
        """Whether the image's own check says so."""
        check = json.loads(self.told["HEALTHCHECK"].partition(" CMD ")[2])
        words = [word.replace("8000", port) for word in check]
        return subprocess.run([self._found(words[0]), *words[1:]], cwd=self.work, env=self.variables).returncode == 0

    @contextmanager
    def running(self, log: Path) -> Iterator[Running]:
        """The container's command, on a port that is free."""
        words = ["0" if word == "8000" else word for word in self.command]
        with started([self._found(words[0]), *words[1:]], log, cwd=self.work, env=self.variables) as made:
            yield made

    def _found(self, word: str) -> str:
        return shutil.which(word, path=self.variables["PATH"]) or word


def ignored(folder: Path, file: Path) -> bool:
    """Whether .dockerignore keeps a file out of the image: the last of its lines that fits decides."""
    name, out = file.relative_to(folder).as_posix(), False
    for line in (folder / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.lstrip("!")
        if line and not line.startswith("#") and (fnmatch.fnmatch(name, pattern) or name.startswith(f"{pattern}/")):
            out = not line.startswith("!")
    return out
