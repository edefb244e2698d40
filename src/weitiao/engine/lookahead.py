"""Looking ahead in a stream: making the next of something while the last is in use, or the first few before any is. It knows nothing of
what it makes.
"""

from collections import deque
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


def peeked(items: Iterator[T], size: Callable[[T], int], enough: int) -> tuple[int, Iterator[T]]:
    """(size of the first items together, all items): of as many as it takes to have ``enough``, or of all. No more than these are held.

    >>> rows, items = peeked(iter(["ab", "c", "def", "g"]), len, 3)
    >>> rows, list(items)
    (3, ['ab', 'c', 'def', 'g'])
    """
    seen, held = 0, deque[T]()
    for item in items:
        held.append(item)
        seen += size(item)
        if seen >= enough:
            break

    def every() -> Iterator[T]:
        while held:  # what was handed over is not held on to
            yield held.popleft()
        yield from items

    return seen, every()
