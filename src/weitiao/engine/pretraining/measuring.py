"""What a model that is being pretrained knows of held-out blocks. It knows batches and no file."""

from typing import Any

import numpy as np
import torch

from weitiao.engine.batching import micro_batches
from weitiao.engine.devices import seed_generators
from weitiao.metrics.perplexity import perplexity

TOKENS = 16_384  # in one forward pass
MOST = 200_000  # tokens that are measured, about


def measured(blocks: Any) -> list[int]:
    """The numbers of the held-out blocks that are measured: all, or of more than ``MOST`` tokens some, evenly spaced over them, since a
    corpus of several files stands in their order.
    """
    count = min(len(blocks), max(1, MOST // _size(blocks))) if len(blocks) else 0
    return [number * len(blocks) // count for number in range(count)]


def tokens_measured(blocks: Any) -> int:
    """How many tokens the figures of held-out blocks are of."""
    return sum(len(blocks[number][0]) for number in measured(blocks))


def held_out_figures(
    way: Any, network: torch.nn.Module, objective: Any, blocks: Any, padding: dict[str, int], device: str, seed: int
) -> dict[str, float]:
    """The objective's figures of held-out blocks. What is hidden is the same at every call.

    Args:
        way: gives outputs of a batch: the loaded model, or its late projection.
        network: what answers; it is left in evaluation mode.
        objective: of those that are learned from blocks: it has ``judged``, ``metrics`` and ``perplexing``.
        blocks: ``Blocks`` of the held-out documents, at least one.
        padding: what fills each of the model's inputs up.
        device: that the network is on.
        seed: of what is hidden.
    """
    network.eval()
    sums: dict[str, torch.Tensor] = {}
    numbers = measured(blocks)
    each = max(1, TOKENS // _size(blocks))
    seed_generators(seed)
    with torch.no_grad():
        for at in range(0, len(numbers), each):
            rows = objective.drawn([blocks[number] for number in numbers[at : at + each]], np.random.default_rng([seed, at]))
            padded = not getattr(objective, "flat", False)
            for group in micro_batches([objective.cost(row) for row in rows], TOKENS, padded=padded):
                batch = objective.collate([rows[i] for i in group], padding).to(device)
                for name, value in objective.judged(way.forward(batch), batch).items():
                    sums[name] = sums.get(name, 0.0) + value.double().cpu()
    figures: dict[str, float] = objective.metrics({name: float(value) for name, value in sums.items()})
    return {**figures, **({"perplexity": perplexity(figures["loss"])} if objective.perplexing else {})}


def _size(blocks: Any) -> int:
    """Tokens of a block, as a mean: any one of them may be nearly empty."""
    return max(1, blocks.file.about["tokens"] // len(blocks))
