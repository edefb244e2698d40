"""One at a time, in the order in which they came: many visitors share one model, and a long file lets short questions in between."""

import threading
from types import TracebackType


class Turns:
    """A lock that is fair: whoever came first is next.

    >>> turns = Turns()
    >>> with turns:
    ...     turns.let_others()
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._last = self._serving = 0

    def __enter__(self) -> "Turns":
        with self._changed:
            mine, self._last = self._last, self._last + 1
            self._changed.wait_for(lambda: self._serving == mine)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._changed:
            self._serving += 1
            self._changed.notify_all()

    def let_others(self) -> None:
        """Whoever holds the turn goes to the end of the line, and comes back when those who wait are done."""
        self.__exit__(None, None, None)
        self.__enter__()
