"""Linear layers that answer from weights laid out for the processor. It knows networks and no task.

A checkpoint holds a matrix row by row. oneDNN, which torch brings along on x86, reads it faster in blocks of its own, in fp32 as before: on
an AMD EPYC with AVX-512 1.2 times as many rows a second as with torch's own product, and 1.5 times one by one. Only answering takes this
way: with gradients, in another number format or while a graph is drawn, a layer computes as it always did.

oneDNN writes a program of half a megabyte and more for every number of rows that it meets, and keeps a thousand of them. So few numbers are
shown to it: small ones are filled up here, large ones by whoever packs the batch (``MULTIPLE``), and others go the old way.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from weitiao.engine.int8 import linear_layers

SMALL = 256  # rows up to which they are filled up here: copying more costs what is won
MULTIPLE = 64  # of which there are whole ones beyond
MOST = 512 << 20  # bytes: the blocks stand beside the weights, and of a larger model that is memory that somebody may miss
CAPABILITIES = ("AVX2", "AVX512")  # of processors where it was measured


def lay_out(network: nn.Module) -> bool:
    """Let a network's linear layers answer from laid-out weights, where that pays. Weights must not change afterwards.

    A layer is laid out when it is first asked, so that nothing is done for one that never is. Returns whether any are.

    >>> from types import SimpleNamespace
    >>> network = nn.Sequential(nn.ModuleList([nn.Linear(4, 3)]))
    >>> x, layer = torch.ones(2, 4), network[0][0]
    >>> before = layer(x)
    >>> there = lay_out(network)
    >>> with torch.inference_mode():
    ...     bool((layer(x) - before).abs().max() < 1e-6)
    True
    """
    layers = [layer for _name, layer in linear_layers(network) if layer.weight.device.type == "cpu" and layer.weight.dtype == torch.float32]
    if not _available() or sum(layer.weight.nbytes for layer in layers) > MOST:
        return False
    for layer in layers:
        if isinstance(layer.forward, _LaidOut):  # of a base that several adapters share
            continue
        # Bound to the layer, not to its class: its type, its name and its weights stay what they are.
        layer.forward = _LaidOut(layer)  # type: ignore[method-assign, assignment]
    return bool(layers)


def _available() -> bool:
    """Whether this torch has oneDNN's products, on a processor where they were measured."""
    there = torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() in CAPABILITIES
    return bool(there and hasattr(torch.ops.mkldnn, "_linear_pointwise") and hasattr(torch.ops.mkldnn, "_reorder_linear_weight"))


class _LaidOut:
    """The forward pass of one layer."""

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer
        self.plain: Callable[[torch.Tensor], torch.Tensor] = layer.forward
        self.weight: Any = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(..., inputs) -> (..., outputs)"""
        answering = torch.is_inference_mode_enabled() and not torch.jit.is_tracing()
        count = x.numel() // x.shape[-1]
        shown = _shown(count)
        if not answering or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu") or not shown:
            return self.plain(x)
        if self.weight is None:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.layer.weight.detach())
        rows = x.reshape(count, -1)
        if shown > count:
            rows = F.pad(rows, (0, 0, 0, shown - count))
        answer: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.layer.bias, "none", [], "")
        return answer[:count].view(*x.shape[:-1], -1)


def _shown(count: int) -> int:
    """As how many rows so many go through a product; 0 for none that it should see.

    >>> [_shown(count) for count in (0, 1, 64, 65, 200, 256, 257, 320)]
    [0, 8, 64, 96, 224, 256, 0, 320]
    """
    if count > SMALL:
        return 0 if count % MULTIPLE else count
    step = 8 if count <= MULTIPLE else 32
    return -(-count // step) * step
