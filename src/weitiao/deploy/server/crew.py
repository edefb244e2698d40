"""How many worker processes a server has where nobody says. It knows records and sizes, and no process.

On a CPU several workers of few threads answer more than one of many: while one reads JSON, cuts texts into tokens or waits for its next
batch, another computes, and a short request need not wait behind a long one. Each holds the models, though, and a GPU is best left to one.
"""

import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from weitiao.deploy.runtime import is_torch_free
from weitiao.engine.memory import LAID_OUT_BYTES

MOST = 4
SHARE = 0.5  # of the free memory that all workers may take
WITH_TORCH, WITHOUT = 600 * 2**20, 200 * 2**20  # bytes of a worker beside its models
BYTES = 4  # of a parameter


def workers_for(records: Iterable[Mapping[str, Any] | None], cores: int, free: int, *, gpu: bool) -> int:
    """How many workers hold these models.

    >>> small = {"model_bytes": 90 * 2**20, "training": {"parameters": 22_000_000}}
    >>> [workers_for([small], cores, 16 * 2**30, gpu=False) for cores in (1, 2, 16)], workers_for([small], 2, 16 * 2**30, gpu=True)
    ([1, 2, 4], 1)

    Args:
        records: of the runs and exports that are served; None for a model that has none.
        free: bytes of memory.
        gpu: whether this machine has one.
    """
    needed = WITHOUT
    for record in records:
        if record is None:
            return 1  # nobody knows its size before it is loaded
        if is_torch_free(record):
            needed += 2 * int(record.get("model_bytes") or 0)
        elif gpu:
            return 1
        else:
            # An adapter's folder does not hold its base.
            parameters = int((record.get("training") or {}).get("parameters") or 0)
            weights = max(int(record.get("model_bytes") or 0), BYTES * parameters)
            needed += weights + min(weights, LAID_OUT_BYTES) + WITH_TORCH
    return max(1, min(cores, MOST, int(SHARE * free / needed)))


def has_gpu() -> bool:
    """Whether torch may find a GPU here; torch itself takes seconds to ask."""
    return shutil.which("nvidia-smi") is not None or sys.platform == "darwin"
