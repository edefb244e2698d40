"""A checkpoint that is no longer whole is an error of ours that names it, whichever of its files is damaged."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from weitiao.engine.checkpoints import CheckpointStore, Progress, load_weights
from weitiao.errors import RunError


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(4, 2)


@pytest.fixture
def optimizer(network: nn.Module) -> torch.optim.Optimizer:
    made = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 4)).sum().backward()
    made.step()
    return made


@pytest.mark.parametrize("content", [b"", b"\x08\x00\x00\x00\x00\x00\x00\x00{", b"no safetensors at all"])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
def test_damaged_tensors(name: str, content: bytes, network: nn.Module, optimizer: torch.optim.Optimizer, tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(network, optimizer, Progress(step=3))
    assert store.restore(network, optimizer) == Progress(step=3)
    checkpoint = store.latest()
    assert checkpoint is not None
    (checkpoint / name).write_bytes(content)
    with pytest.raises(RunError, match=rf"{checkpoint.name}/{name} cannot be read: .* Train again with --overwrite"):
        store.restore(network, optimizer)


def test_a_damaged_state(network: nn.Module, optimizer: torch.optim.Optimizer, tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(network, optimizer, Progress())
    checkpoint = store.latest()
    assert checkpoint is not None
    for state in ("{", json.dumps([]), json.dumps({"progress": {"steps": 1}})):
        (checkpoint / "state.json").write_text(state, encoding="utf-8")
        with pytest.raises(RunError, match=rf"{checkpoint.name} cannot be read"):
            store.restore(network, optimizer)


def test_damaged_best_weights(network: nn.Module, tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.keep_best(network)
    whole = store.best_file.read_bytes()
    store.best_file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"best\.safetensors cannot be read"):
        load_weights(network, store.best_file)
