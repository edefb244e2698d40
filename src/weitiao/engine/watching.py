"""What goes into a network and what comes out of it, by name and shape, written down while it runs. It knows torch modules; no task."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass
class Watch:
    """The calls of one network.

    Attributes:
        calls: how many there were; a model that writes is called once a token.
        inputs, outputs: of the first call, {"name", "shape", "dtype"} each. What holds several tensors has its "count" and the shape of the
            first; what holds none that can be seen, such as a cache, has only its "kind".
    """

    calls: int = 0
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def watched(network: torch.nn.Module) -> Iterator[Watch]:
    """Watch a network while the block runs. Nothing is kept of the tensors themselves."""
    watch = Watch()

    def note(module: torch.nn.Module, arguments: tuple[Any, ...], named: Mapping[str, Any], outputs: Any) -> None:
        watch.calls += 1
        if watch.calls == 1:
            watch.inputs, watch.outputs = described(named), described(outputs)

    handle = network.register_forward_hook(note, with_kwargs=True)
    try:
        yield watch
    finally:
        handle.remove()


def described(values: Any) -> list[dict[str, Any]]:
    """The named tensors of a transformers output, a mapping or a namespace, in their order; numbers and switches are left out.

    >>> described({"logits": torch.zeros(1, 2), "use_cache": True})
    [{'name': 'logits', 'shape': [1, 2], 'dtype': 'float32'}]
    """
    named = values if isinstance(values, Mapping) else vars(values)
    entries: list[dict[str, Any]] = []
    for name, value in named.items():
        if isinstance(value, Mapping):  # outputs of one part that are handed to another
            entries += [{**entry, "name": f"{name}.{entry['name']}"} for entry in described(value)]
        elif entry := _described(str(name), value):
            entries.append(entry)
    return entries


def _described(name: str, value: Any) -> dict[str, Any] | None:
    if isinstance(value, torch.Tensor):
        return {"name": name, "shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
    if isinstance(value, (tuple, list)) and value and isinstance(value[0], torch.Tensor):
        return {"name": name, "count": len(value), **(_described(name, value[0]) or {})}
    plain = value is None or isinstance(value, (bool, int, float, str, tuple, list))
    return None if plain else {"name": name, "kind": type(value).__name__}
