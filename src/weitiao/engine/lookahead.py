"""Making the next of something while the last is in use. It knows nothing of what it makes."""

from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], more: Callable[[T], bool]) -> Iterator[T]:
    """The same items in their order, each made in another thread while the one before it is in use. No more than one waits at a time.

    An error in making one is raised in its place, behind all items before it. Where nothing follows the first there is no thread.

    Args:
        more: whether any can follow an item.

    >>> list(ahead(iter([1, 2, 3]), lambda item: True))
    [1, 2, 3]
    """
    item = next(items, None)
    if item is None or not more(item):
        if item is not None:
            yield item
        return
    from concurrent.futures import ThreadPoolExecutor  # which takes as long as answering one text

    with ThreadPoolExecutor(1) as pool:
        while item is not None:
            following = pool.submit(next, items, None) if more(item) else None
            yield item
            item = following.result() if following is not None else None
