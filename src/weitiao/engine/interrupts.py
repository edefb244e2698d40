"""Ctrl-C and a termination signal, heard between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Ctrl-C and a termination signal set the event, so that the step in hand can end and be saved; a second one ends at once."""
    event = threading.Event()
    before: dict[int, Any] = {}

    def handle(number: int, frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    # Only the main thread may set handlers; elsewhere an interrupt ends the step the ordinary way.
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            with suppress(ValueError, TypeError):
                signal.signal(number, handler)
