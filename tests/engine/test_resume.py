"""A killed run goes on and ends with the very weights it would have had; an interrupt saves first and says how to go on."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

import weitiao
from tests.conftest import make_model, sentences, write_csv
from weitiao import trust
from weitiao.errors import RunError
from weitiao.observer import Observer

SETTINGS = {"epochs": 2, "batch_size": 16, "lr": 3e-3, "max_length": 32, "threads": 1, "save_every": 2, "valid": "0.2", "test": "0.2"}
# Dies by a signal that nothing can catch, at a chosen point.
CHILD = """
import json, os, signal, sys
import weitiao
from weitiao.engine import checkpoints, models, training

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

data, settings, point, count = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], int(sys.argv[4])
places = {"step": (training.Trainer, "_step"), "weights": (checkpoints, "save_file"), "end": (models, "save_model")}
owner, name = places[point]
honest, calls = getattr(owner, name), 0

def counted(*args, **kwargs):
    global calls
    calls += 1
    result = honest(*args, **kwargs) if point != "step" or calls < count else None
    return die() if calls >= count else result

setattr(owner, name, counted)
weitiao.train(data, **settings)
"""


def digest(run: Path) -> str:
    return hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, object], str]:
    """(data, settings, digest of the weights of a run that nothing disturbed)."""
    folder = tmp_path_factory.mktemp("resume")
    data = write_csv(folder / "reviews.csv", list(sentences(120)))
    settings = {**SETTINGS, "model": str(make_model(folder / "tiny"))}
    weitiao.train(str(data), **settings, out=str(folder / "whole"))
    return str(data), settings, digest(folder / "whole")


# The first steps, before any checkpoint; the middle of an epoch; inside a checkpoint, after its weights and after its optimizer; at the
# very end, when the model has been written under a temporary name.
@pytest.mark.parametrize(("point", "count"), [("step", 1), ("step", 8), ("weights", 3), ("weights", 6), ("end", 1)])
def test_a_killed_run_ends_with_the_same_weights(point: str, count: int, setting: tuple, tmp_path: Path) -> None:
    data, settings, whole = setting
    out = tmp_path / "run"
    child = [sys.executable, "-c", CHILD, data, json.dumps({**settings, "out": str(out)}), point, str(count)]
    assert subprocess.run(child, capture_output=True, check=False, timeout=240).returncode == -9
    assert not (out / "model").exists()
    run = weitiao.resume(out)
    assert digest(out) == whole
    assert run.record["status"] == "finished"
    steps = [line["step"] for line in run.folder.log() if "loss" in line]
    assert steps == list(range(1, len(steps) + 1))
    assert not (out / "checkpoints").exists()
    assert [p.name for p in out.iterdir() if p.name.startswith(".")] == []


def test_an_interrupt_saves_and_resumes_to_the_same_weights(setting: tuple, tmp_path: Path) -> None:
    data, settings, whole = setting
    out = tmp_path / "run"

    class Interrupter(Observer):
        notes: ClassVar[list[str]] = []

        def progress(self, stage: str, done: int, total: int | None, figures: object) -> None:
            if stage == "train" and done == 5:
                import signal

                signal.raise_signal(signal.SIGINT)

        def note(self, text: str) -> None:
            self.notes.append(text)

    with pytest.raises(KeyboardInterrupt):
        weitiao.train(data, **settings, out=str(out), observer=Interrupter())
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], record["exit_code"]) == ("interrupted", 130)
    assert f"weitiao train --resume {out}" in Interrupter.notes[-1]
    with pytest.raises(RunError, match="--resume"):
        weitiao.load(out)
    weitiao.resume(out)
    assert digest(out) == whole
    with pytest.raises(RunError, match="is finished"):
        weitiao.resume(out)


def test_changed_data_is_refused(setting: tuple, tmp_path: Path) -> None:
    _, settings, _ = setting
    data = write_csv(tmp_path / "d.csv", list(sentences(80)))

    class Stop(Observer):
        def progress(self, stage: str, done: int, total: int | None, figures: object) -> None:
            if stage == "train":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weitiao.train(str(data), **settings, out=str(tmp_path / "run"), observer=Stop())
    write_csv(data, list(sentences(80, seed=1)))
    with pytest.raises(RunError, match=r"d\.csv has changed"):
        weitiao.resume(tmp_path / "run")


def test_code_that_a_record_names_runs_where_it_was_let_run_before(setting: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    data, settings, whole = setting
    child = [sys.executable, "-c", CHILD, data, json.dumps({**settings, "out": str(tmp_path / "run")}), "weights", "3"]
    assert subprocess.run(child, capture_output=True, check=False, timeout=240).returncode == -9
    file = tmp_path / "run" / "run.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    record["settings"]["trust_remote_code"] = "ann/odd-model"
    file.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(RunError, match=r"Python code of ann/odd-model.*--trust-task"):
        weitiao.resume(tmp_path / "run")
    trust.remember(trust.repository("ann/odd-model"))
    weitiao.resume(tmp_path / "run")
    assert digest(tmp_path / "run") == whole
