"""Exports of runs whose base was quantised: compared with the weights that were rounded, and ordinary models afterwards."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import weitiao
from tests.conftest import make_model, sentences, write_csv
from tests.own_tasks import NETWORK, QUICK, ROWS, WHOLE, written
from tests.tasks.test_image_text_classification import draw_shapes
from weitiao.deploy.export import export
from weitiao.engine import devices
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank
from weitiao.observer import Observer

pytest.importorskip("bitsandbytes")
SMALL = Size(width=64, layers=2, heads=4, positions=64, vocabulary=200)
BITS = pytest.mark.parametrize("bits", ["4", "8"])


class Notes(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def merged(run: weitiao.Run, out: Path) -> dict[str, Any]:
    """A run's export, which has passed its gate and is an ordinary model."""
    seen = Notes()
    made = export(run.path, "merged", out, observer=seen)
    assert made["difference"] <= 1e-5 and made["against"] == "dequantised"
    assert json.loads((out / "run.json").read_text())["export"]["against"] == "dequantised"
    assert any("read as ordinary numbers" in note for note in seen.notes)
    assert "quantization_config" not in json.loads((out / "model" / "config.json").read_text())
    network = weitiao.load(out).predictor().backend.loaded.network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    return made


@BITS
def test_a_merged_export_is_compared_with_the_rounded_weights(bits: str, tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", hidden_size=64, intermediate_size=128)
    data = write_csv(tmp_path / "reviews.csv", list(sentences(80)))
    settings = {**QUICK, "epochs": 4, "lr": 5e-3}
    run = weitiao.train(str(data), model=str(base), method="qlora", quant_bits=bits, out=str(tmp_path / "run"), **settings)
    assert merged(run, tmp_path / "merged")["rows"] == 8
    texts = [text for text, _label in sentences(20, seed=3)]
    for one, other in zip(run.predict(texts), weitiao.load(tmp_path / "merged").predict(texts), strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=0.05)


@BITS
def test_an_own_network_is_exported(bits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    base = make_model(tmp_path / "base", hidden_size=64, intermediate_size=128)
    whole = written(tmp_path / "mine", WHOLE, "whole.py", network=NETWORK)
    data = write_csv(tmp_path / "rows.csv", ROWS)
    run = weitiao.train(str(data), task=whole, model=str(base), method="qlora", quant_bits=bits, out=str(tmp_path / "run"), **QUICK)
    merged(run, tmp_path / "merged")


@BITS
def test_a_network_of_two_encoders_is_exported(bits: str, tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "shapes", 48)
    write_blank(tmp_path / "base", ARCHITECTURES["clip"], ["a red circle", "a green square"], seed=1, size=SMALL)
    settings = {"task": "image-text-classification", "model": str(tmp_path / "base"), "method": "qlora", "quant_bits": bits}
    run = weitiao.train(str(data), out=str(tmp_path / "run"), **settings, **{**QUICK, "max_length": 16})
    merged(run, tmp_path / "merged")


@BITS
def test_matrices_that_were_the_other_way_round_are_so_again(bits: str, tmp_path: Path) -> None:
    write_blank(tmp_path / "base", ARCHITECTURES["gpt2"], [text for text, _label in ROWS], seed=1, size=SMALL)
    data = write_csv(tmp_path / "rows.csv", ROWS)
    settings = {"model": str(tmp_path / "base"), "method": "qlora", "quant_bits": bits}
    run = weitiao.train(str(data), out=str(tmp_path / "run"), **settings, **QUICK)
    merged(run, tmp_path / "merged")


def test_what_was_trained_on_the_cpu_of_an_apple_machine_is_used_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = make_model(tmp_path / "base", hidden_size=64, intermediate_size=128)
    data = write_csv(tmp_path / "reviews.csv", list(sentences(60)))
    run = weitiao.train(str(data), model=str(base), method="qlora", device="cpu", out=str(tmp_path / "run"), **QUICK)
    monkeypatch.setattr(devices, "available_devices", lambda: ["mps", "cpu"])
    again = weitiao.load(run.path)
    assert again.predict(["a lovely day"])[0]["label"] in ("good", "bad")
    assert again.predictor().backend.loaded.machine.device == "cpu"
