"""AdamW and the course of its learning rate. It knows settings and a network's parameters, and no loop."""

import math
from typing import Any

import torch

from weitiao.config import TrainingSettings


def learning_rate(step: int, steps: int, settings: TrainingSettings) -> float:
    """The learning rate of a step (from 0): a linear rise, then the schedule's fall to zero after the last.

    >>> [learning_rate(s, 10, TrainingSettings(lr=1.0, warmup=0.2)) for s in (0, 1, 2, 6)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warmup = warmup_steps(steps, settings)
    if step < warmup:
        return settings.peak_lr * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    fall = {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}
    return settings.peak_lr * fall[settings.schedule]


def warmup_steps(steps: int, settings: TrainingSettings) -> int:
    """Over how many of all steps the learning rate rises."""
    return math.ceil(settings.warmup * steps)


def make_optimizer(network: Any, settings: TrainingSettings) -> torch.optim.AdamW:
    """Fused AdamW (Loshchilov and Hutter, 2019); biases and norms, which are the one-dimensional parameters, do not decay."""
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.peak_lr, fused=trained[0].device.type in ("cpu", "cuda"))
