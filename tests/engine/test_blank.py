"""Blank models: every architecture of the table builds and loads, and a run from one can be resumed."""

import os
import signal
from pathlib import Path

import pytest

import weitiao
from tests.conftest import sentences
from weitiao.engine.architectures import ARCHITECTURES, Size, architecture
from weitiao.engine.blank import write_blank
from weitiao.engine.devices import Machine
from weitiao.engine.models import load_model
from weitiao.errors import UsageError
from weitiao.observer import Observer

SMALL = Size(width=32, layers=2, heads=4, positions=64, vocabulary=400)
TEXTS = [*(text for text, _label in sentences(100)), "微调一个模型，很简单。"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_reads_and_writes(name: str, tmp_path: Path) -> None:
    write_blank(tmp_path / "blank", ARCHITECTURES[name], TEXTS, seed=1, size=SMALL)
    loaded = load_model(tmp_path / "blank", ("AutoModelForSeq2SeqLM", "DualEncoder", "AutoModel"), {}, Machine("cpu", "fp32", 1))
    ids = loaded.processor.ids("the room was lovely 微调").inputs["input_ids"]
    assert loaded.processor.written(ids).replace(" ", "") == "theroomwaslovely微调"
    assert max(ids) < loaded.network.config.get_text_config().vocab_size
    assert loaded.limit == SMALL.positions
    assert not loaded.fresh or name == "clip"  # whose classifier is not part of it


class Interrupt(Observer):
    """Presses Ctrl-C at a step."""

    def progress(self, phase: str, done: int, total: int | None, figures: dict[str, float]) -> None:
        if phase == "train" and done == 3:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_run_from_a_blank_model_resumes(reviews: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = {"model": "blank:bert", "epochs": 1, "batch_size": 16, "max_length": 32, "threads": 1}
    with pytest.raises(KeyboardInterrupt):
        weitiao.train(str(reviews), **settings, out=str(out), observer=Interrupt())
    run = weitiao.resume(out)
    assert run.record["base_model"]["id"] == "blank:bert"
    assert not run.folder.blank.exists()
    assert len(run.predict(["the room was lovely"])) == 1


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(UsageError, match='Did you mean "llama"'):
        architecture("lama")
    assert architecture("qwen").model_type == "qwen3"
