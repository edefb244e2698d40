"""The command line in this process, with an interface behind it that records its calls and answers at once."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import weitiao
from weitiao.cli import run, surroundings
from weitiao.model import FileRow

CHECK: dict[str, Any] = {
    "rows": {"train": 80, "validation": 10, "test": 10},
    "labels": [{"label": "bad", "train": 40, "validation": 5, "test": 5}, {"label": "[red]好评", "train": 40, "validation": 5, "test": 5}],
    "lengths": {
        "unit": "tokens",
        "limit": 128,
        "mean": 20.0,
        "median": 18.0,
        "p95": 60.0,
        "max": 300,
        "truncated_rows": 2,
        "truncated_share": 0.02,
        "histogram": [],
    },
    "language": "en",
    "scripts": [{"script": "Latin", "share": 0.97}, {"script": "Han", "share": 0.03}],
    "near_duplicates_searched": {"rows": 50, "of": 100},
    "findings": [
        {"code": "imbalance", "severity": "info", "count": 1, "message": "Labels are even.", "examples": []},
        {
            "code": "exact_duplicates",
            "severity": "warning",
            "count": 2,
            "message": "Two rows are the same.",
            "examples": [{"source": "a.csv", "rows": [3, 9], "text": "a [bold]lovely\nday", "labels": ["bad", "good"]}],
        },
    ],
}
COLUMNS: dict[str, Any] = {"fields": {"text": {"columns": ["text"], "why": "by its name"}}, "unused": ["id"], "text_separator": "\n"}
PLAN: dict[str, Any] = {
    "task": "text-classification",
    "model": {"id": "tiny", "source": "offline", "why": "packaged"},
    "device": "cpu",
    "precision": "fp32",
    "path": "no padding",
    "parameters": 1000,
    "trainable_parameters": 1000,
    "rows": {"train": 80, "validation": 10, "test": 10},
    "batch_size": 32,
    "epochs": 3,
    "steps": 9,
    "warmup_steps": 1,
    "lr": 5e-5,
    "max_length": 128,
    "truncated_rows": 2,
    "estimate": {"seconds": 90.0, "memory_bytes": 2**30},
    "out": "runs/a",
}
METRICS = {"accuracy": 0.9, "f1_macro": 0.89, "log_loss": 0.3}
EVALUATION: dict[str, Any] = {
    "split": "test",
    "rows": 10,
    "source": "a.csv",
    "headline": "f1_macro",
    "metrics": METRICS,
    "intervals": {"accuracy": [0.8, 0.95]},
    "per_class": [{"label": "[red]好评", "precision": 0.9, "recall": 0.8, "f1": 0.85, "support": 5, "predicted": 4}],
    "baselines": {"majority": {"metrics": {"accuracy": 0.5}, "intervals": {"accuracy": [0.4, 0.6]}}},
    "verdict": {"beats_baselines": True, "text": "Better than the simple methods."},
}


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON object and nothing else."""
        assert len(self.out.splitlines()) == 1, self.out
        return json.loads(self.out)


class FakeRun:
    """A run that answers at once."""

    truncated = 0

    def __init__(self, path: str, calls: list[Any]) -> None:
        self.path, self.calls = Path(path), calls
        self.folder = SimpleNamespace(report=Path(path) / "report.html")
        self.record = {"status": "finished", "evaluation": EVALUATION}

    def predict(self, texts: list[Any], **given: Any) -> list[dict[str, Any]]:
        self.calls.append(("predict", list(texts), *([given] if given else [])))
        return [{"label": "good", "score": 0.75, "probabilities": {"good": 0.75, "bad": 0.25}} for _text in texts]

    def predict_file(self, data: str, out: Path, *, observer: Any, **reading: Any) -> dict[str, Any]:
        self.calls.append(("predict_file", data, out, reading))
        return {"rows": 3, "rows_per_s": 100.0, "out": str(out)}

    def predict_rows(self, data: str, *, observer: Any, ledger: Any, **reading: Any) -> Any:
        self.calls.append(("predict_rows", data, reading))
        yield [FileRow({"text": "一"}, {"label": "good"}, True), FileRow({"text": "2"}, {"label": "bad"}, True)]
        yield [FileRow({"text": ""}, {"label": None}, False)]

    def evaluate(self, data: str, *, observer: Any, **reading: Any) -> dict[str, Any]:
        self.calls.append(("evaluate", data, reading))
        return EVALUATION

    def warn_of_cut(self, count: int, rows: int, observer: Any) -> None:
        self.calls += [("cut", count, rows)] if count else []

    def write_report(self) -> Path:
        return self.path / "report.html"


def make_run(path: Path, task: str = "text-classification") -> Path:
    """A run's folder with nothing in it but what says which task it is."""
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"schema": 1, "task": task, "status": "finished"}), encoding="utf-8")
    return path


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """Stands in for ``weitiao.api``; ``calls`` is what it was asked. In the working folder runs/a is a text classifier."""
    calls: list[Any] = []
    monkeypatch.chdir(tmp_path)
    make_run(Path("runs/a"))

    def check(source: str, *, observer: Any, **settings: Any) -> dict[str, Any]:
        calls.append(("check", source, settings))
        observer.checked(CHECK, COLUMNS, {})
        return {"check": CHECK, "plan": COLUMNS, "ledger": {"dropped:empty_text": 2}, "entries": []}

    def plan(source: str, *, observer: Any, **settings: Any) -> dict[str, Any]:
        calls.append(("plan", source, settings))
        observer.checked(CHECK, COLUMNS, {})
        observer.planned(PLAN)
        return PLAN

    def train(source: str, *, observer: Any, command: list[str], **settings: Any) -> FakeRun:
        calls.append(("train", source, settings, command))
        observer.checked(CHECK, COLUMNS, {})
        observer.planned(PLAN)
        observer.evaluated({"split": "validation", "epoch": 1, "step": 3, "metrics": METRICS})
        return FakeRun("runs/a", calls)

    def resume(path: str, *, observer: Any) -> FakeRun:
        calls.append(("resume", path))
        return FakeRun(path, calls)

    def load(path: str, **settings: Any) -> FakeRun:
        if settings:
            calls.append(("load", path, settings))
        return FakeRun(path, calls)

    fake = SimpleNamespace(calls=calls, check=check, plan=plan, train=train, resume=resume, load=load)
    monkeypatch.setitem(sys.modules, "weitiao.api", fake)
    monkeypatch.setattr(weitiao, "api", fake, raising=False)
    return fake


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command line in this process, in a terminal 100 wide, without changing the process's surroundings."""
    monkeypatch.setattr(surroundings, "settle", lambda debug: None)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("WEITIAO_LANG", "en")

    def invoke(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(list(arguments))
        return Outcome(code, *capsys.readouterr())

    return invoke
