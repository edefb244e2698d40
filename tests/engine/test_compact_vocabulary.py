"""A training that leaves out the words no row has ends, is resumed and is saved as one that does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import weitiao
from tests.conftest import sentences, write_csv
from weitiao.engine import embeddings
from weitiao.observer import Observer

Train = Callable[..., Any]


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Rows with few words; validation and test have others."""
    rows = list(sentences(200))
    few = [row for row in rows if "rude" not in row[0] and "sunny" not in row[0]][:60]
    write_csv(tmp_path / "held.csv", rows[:40])
    return str(write_csv(tmp_path / "train.csv", few))


@pytest.fixture
def train(data: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    def run(name: str, share: float, **settings: Any) -> Any:
        monkeypatch.setattr(embeddings, "SMALLEST", 1)
        monkeypatch.setattr(embeddings, "LARGEST_SHARE", share)
        held, out = str(tmp_path / "held.csv"), str(tmp_path / name)
        quick: dict[str, Any] = {"epochs": 2, "batch_size": 8, "lr": 3e-3, "max_length": 32, "threads": 1, "weight_decay": 0.1}
        return weitiao.train(data, valid=held, test=held, model=str(tiny_model), out=out, **{**quick, **settings})

    return run


def weights(run: Any) -> dict[str, Any]:
    return load_file(run.path / "model" / "model.safetensors")


def test_it_ends_as_the_whole_vocabulary_does(train: Train) -> None:
    whole, compact = weights(train("whole", 0.0)), weights(train("compact", 1.0))
    assert whole.keys() == compact.keys()
    # The classifier's own randomness is the same; the sums are taken over other shapes.
    for name, tensor in whole.items():
        assert (tensor - compact[name]).abs().max() < 1e-5, name


class Interrupter(Observer):
    """Presses Ctrl-C in the middle of a pass."""

    def progress(self, stage: str, done: int, total: int | None, figures: Any) -> None:
        if stage == "train" and done == 5:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)


def test_it_resumes_to_the_very_same_weights(train: Train, tmp_path: Path) -> None:
    whole = weights(train("through", 1.0))
    with pytest.raises(KeyboardInterrupt):
        train("stopped", 1.0, observer=Interrupter())
    resumed = weights(weitiao.resume(tmp_path / "stopped"))
    assert all(bool((resumed[name] == tensor).all()) for name, tensor in whole.items())


def test_the_plan_says_how_many_words_are_trained(train: Train, data: str, tiny_model: Path) -> None:
    run = train("compact", 1.0)
    assert run.record["training"]["parameters"] == run.record["training"]["trainable_parameters"]
    from weitiao import api

    plan = api.plan(data, model=str(tiny_model))
    few, all_words = plan["vocabulary"]
    assert 0 < few < all_words
