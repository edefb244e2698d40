"""Which rows an optimizer step sees, and how a step is cut into micro-batches. Lists of numbers only: it knows no tensor and no model."""

from collections.abc import Sequence

import numpy as np


def optimizer_batches(rows: int, batch_size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """An epoch's optimizer batches: every row once, in an order drawn from (seed, epoch) alone, ``batch_size`` at a time.

    The last batch holds what is left. There is no grouping by length: it would bias the order.

    >>> sorted(row for batch in optimizer_batches(5, 2, seed=1, epoch=0) for row in batch)
    [0, 1, 2, 3, 4]
    """
    order = np.random.default_rng([seed, epoch]).permutation(rows).tolist()
    return [order[at : at + batch_size] for at in range(0, rows, batch_size)]


def micro_batches(lengths: Sequence[int], budget: int, *, padded: bool) -> list[list[int]]:
    """Cut one batch into micro-batches of at most ``budget`` tokens, longest rows first; 0 is one micro-batch.

    Args:
        lengths: tokens of each row of the batch.
        budget: most tokens in a micro-batch. A single row over it still gets a micro-batch of its own.
        padded: whether every row of a micro-batch costs as much as its longest.

    Returns:
        Indices into ``lengths``, each once.

    >>> micro_batches([3, 9, 4, 8], 18, padded=True)
    [[1, 3], [2, 0]]
    >>> micro_batches([3, 9, 4, 8], 0, padded=True)
    [[1, 3, 2, 0]]
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    if not budget:
        return [order]
    groups: list[list[int]] = []
    tokens = 0
    for row in order:
        cost = lengths[groups[-1][0]] if groups and padded else lengths[row]
        if not groups or tokens + cost > budget:
            groups.append([])
            tokens, cost = 0, lengths[row]
        groups[-1].append(row)
        tokens += cost
    return groups
