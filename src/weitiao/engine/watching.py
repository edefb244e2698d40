"""What goes into a network and what comes out of it, by name and shape, written down while it runs. It knows tensors, torch's and numpy's,
by their shape; no task.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

    def note(self, inputs: Any, outputs: Any) -> None:
        """Write down a call."""
        self.calls += 1
        if self.calls == 1:
            self.inputs, self.outputs = described(inputs), described(outputs)


@contextmanager
def watched(network: "torch.nn.Module") -> Iterator[Watch]:
    """Watch a network while the block runs. Nothing is kept of the tensors themselves."""
    watch = Watch()
    handle = network.register_forward_hook(lambda module, arguments, named, outputs: watch.note(named, outputs), with_kwargs=True)
    try:
        yield watch
    finally:
        handle.remove()


def described(values: Any) -> list[dict[str, Any]]:
    """The named tensors of a transformers output, a mapping or a namespace, in their order; numbers and switches are left out.

    >>> import numpy as np
    >>> described({"logits": np.zeros((1, 2), np.float32), "use_cache": True})
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
    if _is_tensor(value):
        return {"name": name, "shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
    if isinstance(value, (tuple, list)) and value and _is_tensor(value[0]):
        return {"name": name, "count": len(value), **(_described(name, value[0]) or {})}
    plain = value is None or isinstance(value, (bool, int, float, str, tuple, list))
    return None if plain else {"name": name, "kind": type(value).__name__}


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")
