"""Exports of finished runs: what is compared, what is written, and what the folder then says of itself."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from tests.own_tasks import PLAIN, QUICK, ROWS, written
from tests.tasks.contract import TRAINABLE, records_of
from tests.tasks.test_translation import PAIRS, TEXTS, write_pairs
from weitiao.deploy.export import _bring_together, export
from weitiao.deploy.gate import held_out, outputs_apart
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank
from weitiao.engine.devices import Machine
from weitiao.errors import GateError
from weitiao.runs import RunFolder, prediction_line, record_in, write_lines
from weitiao.tasks.base import Task

SMALL = Size(width=32, layers=1, heads=4, positions=128, vocabulary=400)


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> weitiao.Run:
    """A run of the packaged classification task, with an adapter."""
    folder = tmp_path_factory.mktemp("lora")
    data = write_csv(folder / "reviews.csv", list(sentences(60)))
    return weitiao.train(str(data), model=str(make_model(folder / "base")), method="lora", out=str(folder / "run"), **QUICK)


@pytest.mark.parametrize("task", TRAINABLE, ids=lambda task: task.name)
def test_the_records_of_every_task_come_back_from_its_predictions(task: Task, tmp_path: Path) -> None:
    run, records = RunFolder(tmp_path), list(records_of(task))
    lines = [prediction_line(number, "test.jsonl", record, {"text": "an answer"}) for number, record in enumerate(records, 2)]
    write_lines(run.predictions_file, lines)
    assert list(held_out(run, task)[0]) == json.loads(json.dumps(records))
    for number, line in enumerate(run.predictions(), 2):
        assert (line["row"], line["source"], line["prediction"]) == (number, "test.jsonl", {"text": "an answer"})


@pytest.mark.parametrize("task", TRAINABLE, ids=lambda task: task.name)
def test_a_task_whose_run_has_no_predictions_is_compared_on_its_example(task: Task, tmp_path: Path) -> None:
    (record,), held = held_out(RunFolder(tmp_path), task)
    assert not held
    assert record.keys() >= {field.name for field in task.inputs if not field.optional}


def test_an_adapter_that_translates_is_exported(tmp_path: Path) -> None:
    write_blank(tmp_path / "base", ARCHITECTURES["t5"], TEXTS, seed=1, size=SMALL)
    data = write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    places = {"model": str(tmp_path / "base"), "out": str(tmp_path / "run"), "valid": str(data), "test": "0"}
    languages = {"source_lang": "en", "target_lang": "de", "max_new_tokens": 8}
    run = weitiao.train(str(data), task="translation", method="lora", **places, **languages, **QUICK)
    lines = list(run.folder.predictions())
    assert {line["source"] for line in lines} == {str(data)}
    assert [(record_in(line)["source"], record_in(line)["target"]) for line in lines] == PAIRS
    made = export(run.path, "merged", tmp_path / "merged")
    assert (made["rows"], made["against"]) == (len(PAIRS), "run") and made["difference"] <= 1e-5

    # A run from before: the record's "source" took the place of the file's name.
    write_lines(run.folder.predictions_file, [{**line, **record_in(line), "record": None} for line in lines])
    assert export(run.path, "merged", tmp_path / "again")["rows"] == len(PAIRS)


def test_fields_named_as_the_lines_own_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fields = """summary = "A label."
    inputs = (
        *TextClassification.inputs,
        Field("row", "text", "Row", hints=("row",)),
        Field("prediction", "text", "Guess", hints=("prediction",)),
    )
"""
    task = written(tmp_path, "from weitiao.fields import Field\n" + PLAIN.replace('summary = "A label."', fields))
    rows = [(text, label, f"r{number}", f"p{number}") for number, (text, label) in enumerate(ROWS)]
    data = write_csv(tmp_path / "rows.csv", rows, header=("text", "label", "row", "prediction"))
    model = str(make_model(tmp_path / "base"))
    run = weitiao.train(str(data), task=task, model=model, method="lora", out=str(tmp_path / "run"), **QUICK)
    for line in run.folder.predictions():
        number = line["row"] - 2
        text, label, row, guess = rows[number]
        assert record_in(line) == {"text": text, "label": label, "row": row, "prediction": guess}
        assert line["source"] == str(data) and line["prediction"]["label"] in ("good", "bad")
    export(run.path, "merged", tmp_path / "merged")


def test_the_card_of_an_export_says_that_it_is_a_whole_model(lora: weitiao.Run, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    assert ModelCard.load(lora.folder.card).data.library_name == "peft"
    export(lora.path, "merged", tmp_path / "merged")
    made = RunFolder(tmp_path / "merged")
    card = ModelCard.load(made.card)
    assert card.data.library_name == "transformers"
    assert "pipeline(" in card.text and "PeftModel" not in card.text
    recorded = made.record()["export"]
    assert recorded["sha256"]["README.md"] == hashlib.sha256(made.card.read_bytes()).hexdigest()
    assert (recorded["to"], recorded["from"], recorded["against"]) == ("merged", "run", "run")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_merged_model_without_numbers_is_not_written(
    value: float, lora: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weitiao.engine import finished

    save = finished.save_finished

    def damaged(task: Any, spec: Any, loaded: Any, *rest: Any) -> None:
        with torch.no_grad():
            loaded.network.classifier.bias.fill_(value)
        save(task, spec, loaded, *rest)

    monkeypatch.setattr(finished, "save_finished", damaged)
    for allow_lossy in (False, True):
        with pytest.raises(GateError, match="differ by up to inf"):
            export(lora.path, "merged", tmp_path / "merged", allow_lossy=allow_lossy)
    assert not (tmp_path / "merged").exists()


def test_what_is_no_number_agrees_with_nothing() -> None:
    class Says:
        def __init__(self, *answers: float) -> None:
            self.answers, self.backend = answers, self

        def encode(self, record: Any) -> Any:
            return record

        def run(self, features: Any) -> list[dict[str, np.ndarray]]:
            return [{"logits": np.array(self.answers)}]

    nothing = float("nan")
    assert outputs_apart(Says(1.0), Says(1.0), [{}, {}]) == {"rows": 2, "difference": 0.0}  # type: ignore[arg-type]
    for one, other in ((nothing, 1.0), (1.0, nothing), (nothing, nothing)):
        assert outputs_apart(Says(one), Says(other), [{}])["difference"] == float("inf")  # type: ignore[arg-type]


def test_two_models_on_two_devices_are_brought_together() -> None:
    """As on an Apple machine: what was quantised is on its CPU, and an ordinary model on its GPU."""
    moved: list[str] = []
    networks = (SimpleNamespace(to=moved.append) for _two in range(2))
    places = (Machine("mps", "fp32", 1), Machine("cpu", "fp32", 1))
    loaded = [SimpleNamespace(network=network, machine=machine) for network, machine in zip(networks, places, strict=True)]
    saved, trained = (SimpleNamespace(backend=SimpleNamespace(loaded=one)) for one in loaded)
    _bring_together(saved, trained)  # type: ignore[arg-type]
    assert moved == ["cpu"] and loaded[0].machine == loaded[1].machine == places[1]


def test_offline_is_passed_on_to_the_base(
    lora: weitiao.Run, tmp_path: Path, command: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    from weitiao.engine import hub

    found, asked = hub.found_again, []

    def spy(*given: Any, offline: bool = False, **more: Any) -> Any:
        asked.append(offline)
        return found(*given, offline=offline, **more)

    monkeypatch.setattr(hub, "found_again", spy)
    words = ("export", str(lora.path), "--to", "merged", "--out", str(tmp_path / "merged"))
    assert command(*words, "--offline").code == 0
    assert asked and all(asked)
    shutil.rmtree(tmp_path / "merged")
    asked.clear()
    assert command(*words).code == 0
    assert asked and not any(asked)
