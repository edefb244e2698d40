"""Resumable state of a training: weights, optimizer, and where in the data it stood. Safetensors and JSON only; never pickle.

A checkpoint is a folder that appears whole or not at all; the one before it is removed only afterwards. It knows tensors and names, not
tasks, not the loop.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from weitiao.errors import RunError
from weitiao.messages import _
from weitiao.runs import atomic


@dataclass
class Progress:
    """Where a training stands. Everything that is not a tensor.

    Attributes:
        epoch, position: passes finished, and steps done in the current one.
        step: optimizer steps done.
        loss_sum, loss_steps: running mean of the current epoch's loss.
        best: {"epoch", "step", "metric", "value"} of the best evaluation so far.
        waiting: evaluations since then.
        history: one entry an epoch.
        token_budget: most tokens in a micro-batch, lowered when memory ran out (0 = no limit).
        threads: CPU threads: sums are split by them, so bit-identical resuming needs the same number.
        seconds, rows, tokens: spent and seen in training steps so far.
        kept, prepared: features for which a frozen part's answer was kept (None: not yet), and seconds spent on that.
        finished: no steps are left.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    best: dict[str, Any] | None = None
    waiting: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    token_budget: int = 0
    threads: int = 0
    seconds: float = 0.0
    rows: int = 0
    tokens: int = 0
    kept: int | None = None
    prepared: float = 0.0
    finished: bool = False


class CheckpointStore:
    """The checkpoints of one run, newest wins.

    Args:
        folder: the run's folder for them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best_file = folder / "best.safetensors"

    def latest(self) -> Path | None:
        """The newest whole checkpoint, or None."""
        found = sorted(self.folder.glob("step-*")) if self.folder.is_dir() else []
        return found[-1] if found else None

    def save(self, network: Any, optimizer: torch.optim.Optimizer, progress: Progress, scaler: Any = None) -> None:
        """Write a checkpoint, then remove the ones before it and whatever a killed process left half-written."""
        # The epoch is part of the name: its end is a state of its own, and no checkpoint ever takes the place of another.
        target = self.folder / f"step-{progress.step:08d}-{progress.epoch:06d}{'-end' if progress.finished else ''}"
        with atomic(target) as temporary:
            temporary.mkdir(parents=True)
            save_file(weights(network), temporary / "model.safetensors")
            save_file(_moments(network, optimizer), temporary / "optimizer.safetensors")
            state = {"progress": asdict(progress), "scaler": scaler.state_dict() if scaler is not None else None}
            (temporary / "state.json").write_text(json.dumps(state), encoding="utf-8")
        for other in self.folder.iterdir():
            if other.name != target.name and other.name.startswith(("step-", ".")):
                shutil.rmtree(other, ignore_errors=True) if other.is_dir() else other.unlink()

    def restore(self, network: Any, optimizer: torch.optim.Optimizer, scaler: Any = None) -> Progress | None:
        """Put the newest checkpoint into the network and the optimizer; None where there is none yet.

        Raises:
            RunError: it cannot be read or does not fit the network.
        """
        path = self.latest()
        if path is None:
            return None
        try:
            state = json.loads((path / "state.json").read_text(encoding="utf-8"))
            load_weights(network, path / "model.safetensors")
            _restore_moments(network, optimizer, _tensors(path / "optimizer.safetensors"))
            if scaler is not None and state["scaler"]:
                scaler.load_state_dict(state["scaler"])
            return Progress(**state["progress"])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise _unreadable(path.name, error) from error

    def keep_best(self, network: Any) -> None:
        """Remember these weights as the best so far."""
        with atomic(self.best_file) as temporary:
            save_file(weights(network), temporary)

    def remove(self) -> None:
        """Remove everything: the run is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)


def weights(network: Any) -> dict[str, torch.Tensor]:
    """Every parameter that is trained, once (tied ones under their first name), and every saved buffer, on the CPU."""
    named = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    saved = network.state_dict().keys()
    named |= {name: buffer for name, buffer in network.named_buffers() if name in saved}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}


def load_weights(network: Any, path: Path) -> None:
    """Put weights written by this module back into the network. Raises RunError where they are damaged."""
    tensors = _tensors(path)
    targets = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    with torch.no_grad():
        for name in weights(network):
            targets[name].copy_(tensors[name])


def _tensors(file: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:  # which is no ValueError, nor of any other kind
        raise _unreadable(f"{file.parent.name}/{file.name}", error) from error


def _unreadable(name: str, error: Exception) -> RunError:
    message = _("The checkpoint {name} cannot be read: {error}. Train again with --overwrite.")
    return RunError(message.format(name=name, error=error))


def _moments(network: Any, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    moments = {}
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            moments[f"{key}:{name}"] = value.detach().cpu().contiguous()
    return moments


def _restore_moments(network: Any, optimizer: torch.optim.Optimizer, moments: dict[str, torch.Tensor]) -> None:
    parameters = dict(network.named_parameters())
    for full, value in moments.items():
        key, name = full.split(":", 1)
        # A fused optimizer keeps its step counters where the parameters are.
        optimizer.state.setdefault(parameters[name], {})[key] = value.to(parameters[name].device)
