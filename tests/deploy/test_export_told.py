"""An export says what it is doing and how far it is: a model that writes answers for minutes before anything else can be seen."""

from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.conftest import make_model, sentences, write_csv
from tests.deploy.test_serve import trained
from tests.own_tasks import QUICK
from weitiao.deploy import gate
from weitiao.deploy.export import export
from weitiao.observer import Observer
from weitiao.progress import STAGES, stage_line

pytest.importorskip("onnx")


class Told(Observer):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: dict[str, list[tuple[int, int | None]]] = {}

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, stage: str, done: int, total: int | None, figures: Any) -> None:
        self.stages.setdefault(stage, []).append((done, total))


def judge(told: Told, first: str, least: int) -> None:
    """It says first what it does; each stage rises to its end."""
    assert told.notes[0] == first and "the same" in told.notes[1]
    assert list(told.stages) == ["compare", "time"] and set(told.stages) <= set(STAGES)
    for steps in told.stages.values():
        done, (total,) = [step[0] for step in steps], {step[1] for step in steps}
        assert done == sorted(set(done)) and done[-1] == total
    assert len(told.stages["compare"]) >= least and told.stages["time"][-1] == (gate.ROUNDS, gate.ROUNDS)


def test_a_graph(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", list(sentences(60)))
    run = weitiao.train(str(data), model=str(make_model(tmp_path / "base")), out=str(tmp_path / "run"), **QUICK)
    told = Told()
    made = export(run.path, "onnx", tmp_path / "onnx", observer=told)
    judge(told, "Writing the model as an ONNX graph.", made["rows"])
    assert told.stages["compare"][-1][1] == 3 * made["rows"]


def test_a_model_that_writes(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    told = Told()
    made = export(trained(tmp_path, "summarization", "t5"), "ctranslate2", tmp_path / "ct2", observer=told)
    judge(told, "Converting the model for CTranslate2.", 2 * made["rows"])
    assert told.stages["compare"][-1][1] == 4 * made["rows"]


def test_how_it_reads() -> None:
    assert stage_line("compare", 48, 192, {}) == "Comparing it with the run 25% · 48/192"
