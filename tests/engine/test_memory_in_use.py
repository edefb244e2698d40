"""Memory that runs out while a model is used: the batch is halved, and on one row alone it is said and not called a bug."""

import math
from collections.abc import Callable
from typing import Any

import pytest

import weitiao
from weitiao.cli.failures import understand
from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives.rows import Classification
from weitiao.engine.out_of_memory import is_out_of_memory
from weitiao.errors import ResourceError

Train = Callable[..., weitiao.Run]
CPU = "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes."


class OutOfMemoryError(RuntimeError):
    """As torch's."""


ERRORS = [MemoryError(), OutOfMemoryError("CUDA out of memory."), RuntimeError(CPU), RuntimeError("not enough memory: you tried")]


def tight(monkeypatch: pytest.MonkeyPatch, rows: int) -> list[int]:
    """Room for so many rows; the sizes of the batches that were tried."""
    honest, tried = LoadedModel.forward, []

    def forward(self: LoadedModel, batch: Any) -> Any:
        tried.append(len(batch.lengths))
        if len(batch.lengths) > rows:
            raise RuntimeError(CPU)
        return honest(self, batch)

    monkeypatch.setattr(LoadedModel, "forward", forward)
    return tried


def test_a_prediction_halves_its_batches(train_tiny: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train_tiny(epochs=1)
    texts = [f"a lovely day {'very ' * number}" for number in range(9)]
    before = run.predict(texts)
    tried = tight(monkeypatch, 2)
    for one, other in zip(before, run.predict(texts), strict=True):
        assert one["label"] == other["label"] and one["score"] == pytest.approx(other["score"], abs=1e-5)
    assert max(tried) == 9 and min(tried) <= 2
    tight(monkeypatch, 0)
    with pytest.raises(ResourceError, match="Memory ran out on a single row"):
        run.predict(texts)


def test_so_does_a_loss(train_tiny: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    backend: Any = train_tiny(epochs=1).predictor().backend
    examples = []
    for number in range(6):
        features = backend.loaded.processor.text("a day " * (number + 1), max_length=32)
        features.target = number % 2
        examples.append([features])
    assert isinstance(backend.objective, Classification)
    whole = backend.losses(examples)[0].sum()
    tight(monkeypatch, 2)
    assert math.isclose(backend.losses(examples)[0].sum(), whole, rel_tol=1e-5)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__ + str(error)[:10])
def test_there_is_one_knowledge_of_it(error: BaseException) -> None:
    assert is_out_of_memory(error)
    failure = understand(error)
    assert (failure.type, failure.exit_code) == ("ResourceError", 6)


def test_other_errors_are_no_lack_of_memory() -> None:
    for error in (ValueError("out of memory"), RuntimeError("shapes do not match")):
        assert not is_out_of_memory(error) and understand(error).exit_code == 1
