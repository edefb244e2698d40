"""Servers in processes of their own, as tests need them: the command line over real runs, or models that are slow, or die, on demand.

python -m tests.deploy.servers SETTING=VALUE ...   the second kind
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np

from weitiao import tasks
from weitiao.config import ServerSettings
from weitiao.deploy.server import gate
from weitiao.deploy.server import running as serving
from weitiao.deploy.server.running import serve
from weitiao.deploy.server.served import Served
from weitiao.errors import ModelError
from weitiao.processing import Features

ROOT = Path(__file__).parents[2]
SPEC = {"labels": ["bad", "<script>alert(1)</script>"], "multi_label": False, "pair": False}


class OddPredictor:
    """Answers what it is asked, and does what is asked of it: "sleep 0.5", "die", "fail"."""

    max_length = 512

    def __init__(self, name: str) -> None:
        self.name, self.task, self.spec, self.processor = name, tasks.get("text-classification"), SPEC, None

    def encode(self, record: Mapping[str, Any]) -> list[Features]:
        """A token a word."""
        words = record["text"].split()
        return [Features({"input_ids": [len(word) for word in words]}, notes={"text": record["text"]})]

    def outputs(self, features: Sequence[list[Features]]) -> list[list[dict[str, np.ndarray]]]:
        """Logits that say how often an "x" stands in the text."""
        texts = [one.notes["text"] for (one,) in features]
        for text in texts:
            if text == "die":
                os._exit(3)
            if text == "fail":
                raise RuntimeError(f"I will not say {text}")
        time.sleep(sum(float(text.split()[1]) for text in texts if text.startswith("sleep")))
        return [[{"logits": np.array([0.0, text.count("x") - 1.0], dtype=np.float32)}] for text in texts]


class Writer(OddPredictor):
    """Writes one word after the other, slowly."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.task, self.spec = tasks.get("text-generation"), {"form": "chat", "max_new_tokens": 1000}
        self.processor: Any = SimpleNamespace(ids=lambda text: Features({"input_ids": [0] * len(text.split())}))
        self.backend = SimpleNamespace(stream=self._stream)

    def encode(self, record: Mapping[str, Any]) -> list[Features]:
        """A token a message."""
        return [Features({"input_ids": [0] * len(record["messages"])})]

    def _stream(self, features: Features, arguments: Mapping[str, Any], wrote: Callable[[int], None]) -> Iterator[str]:
        most = arguments.get("max_new_tokens") or 1000
        try:
            for number in range(most):
                time.sleep(0.02)
                wrote(number + 1)
                yield f"{' ' if number else ''}word{number}"
        finally:
            if most > 4:  # the example is asked for fewer
                print(f"wrote {number + 1} of {most}", file=sys.stderr, flush=True)


def load_odd(names: Sequence[str]) -> dict[str, Any]:
    """What a worker loads."""
    if "unfit" in names:
        raise ModelError("There are no weights.")
    if "mortal" in names:
        os._exit(9)
    return {name: Writer(name) if name == "writer" else OddPredictor(name) for name in names}


class Running:
    """A server that runs.

    Attributes:
        url: where it is.
    """

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self.process, self.log, self.url = process, log, ""

    def client(self, **settings: Any) -> httpx.Client:
        """A client of it that no proxy stands before."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **settings)

    def said(self) -> str:
        """Standard error so far."""
        return self.log.read_text(encoding="utf-8")

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def running(command: Sequence[str], log: Path, **environment: str) -> Iterator[Running]:
    """A server from its first word to its end."""
    variables = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "WEITIAO_LANG": "en",
        "OMP_NUM_THREADS": "1",
        **environment,
    }
    with started([sys.executable, *command], log, env=variables) as made:
        yield made


@contextmanager
def started(words: Sequence[str], log: Path, **how: Any) -> Iterator[Running]:
    """The server that a command starts, from its first word to its end; ``how`` as ``Popen`` has it."""
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, **how)
    try:
        made = Running(process, log)
        assert process.stdout is not None
        found = re.search(r"http://\S+:\d+", process.stdout.readline())
        assert found is not None, made.said()
        made.url = found[0]
        yield made
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()  # type: ignore[union-attr]


@contextmanager
def odd(log: Path, names: str = "odd", keys: str = "", **settings: Any) -> Iterator[Running]:
    """A server over odd models."""
    words = [f"{name}={value}" for name, value in settings.items()]
    with running(["-m", "tests.deploy.servers", names, keys, *words], log) as made:
        yield made


def main() -> None:
    """Serve odd models under the names that are given."""
    import logging
    from functools import partial

    names, keys, *words = sys.argv[1:]
    gate.ARRIVAL = serving.HEADERS = 3.0  # seconds, where people's patience would take a test too long
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s %(message)s")
    models = {}
    for name in names.split(","):
        model: Any = Writer(name) if name == "writer" else OddPredictor(name)
        models[name] = Served(name, model.task, model.spec)
    settings = ServerSettings.of({"port": 0, **dict(word.split("=") for word in words)})
    load = partial(load_odd, list(models))
    say = partial(print, flush=True)
    serve(models, load, settings, [key for key in keys.split(",") if key], started=say, warn=partial(say, file=sys.stderr))


if __name__ == "__main__":
    main()
