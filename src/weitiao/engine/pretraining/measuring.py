"""What a model that is being pretrained knows of held-out blocks. It knows batches and no file."""

from typing import Any

import numpy as np
import torch

from weitiao.engine.batching import micro_batches
from weitiao.engine.devices import seed_generators
from weitiao.metrics.perplexity import perplexity

TOKENS = 16_384  # in one forward pass
MOST = 200_000  # tokens that are measured


def held_out_figures(
    way: Any, network: Any, objective: Any, blocks: Any, padding: dict[str, int], device: str, seed: int
) -> dict[str, float]:
    """The objective's figures of held-out blocks. What is hidden is the same at every call.

    Args:
        way: gives outputs of a batch: the loaded model, or its late projection.
    """
    network.eval()
    sums: dict[str, torch.Tensor] = {}
    size = len(blocks[0][0])
    count = min(len(blocks), max(1, MOST // size))
    each = max(1, TOKENS // size)
    seed_generators(seed)
    with torch.no_grad():
        for at in range(0, count, each):
            rows = objective.drawn(blocks[at : min(at + each, count)], np.random.default_rng([seed, at]))
            padded = not getattr(objective, "flat", False)
            for group in micro_batches([objective.cost(row) for row in rows], TOKENS, padded=padded):
                batch = objective.collate([rows[i] for i in group], padding).to(device)
                for name, value in objective.judged(way.forward(batch), batch).items():
                    sums[name] = sums.get(name, 0.0) + value.double().cpu()
    figures: dict[str, float] = objective.metrics({name: float(value) for name, value in sums.items()})
    return {**figures, **({"perplexity": perplexity(figures["loss"])} if objective.perplexing else {})}
