"""Another forward pass in the place of a module's own, for a while. It knows nothing of either."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def replaced(modules: Iterable[nn.Module], forward: Callable[..., Any]) -> Iterator[None]:
    """The modules answer by ``forward`` until the block ends, and then as before.

    It is set on the modules and not on their classes, so that others of their kind stay as they are.

    >>> layer = nn.Linear(2, 2)
    >>> with replaced([layer], lambda x: x):
    ...     layer("as it came")
    'as it came'
    >>> "forward" in vars(layer)
    False
    """
    # One that was set on a module before, such as a packed one, is put back; a class's own shows again by itself.
    before = [(module, vars(module).get("forward")) for module in modules]
    for module, _own in before:
        module.forward = forward
    try:
        yield
    finally:
        for module, own in before:
            del module.forward
            if own is not None:
                module.forward = own
