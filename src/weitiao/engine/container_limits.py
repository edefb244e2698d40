"""What a container leaves a process of the machine it runs on: Linux's control groups (version 2). It reads files, and knows no torch."""

import math
from pathlib import Path

PLACE = Path("/sys/fs/cgroup")


def memory(place: Path = PLACE) -> int | None:
    """Bytes that may be taken in all; None where nothing is limited."""
    return next(iter(_numbers(place / "memory.max")), None)


def memory_left(place: Path = PLACE) -> int | None:
    """Bytes that may still be taken; None where nothing is limited.

    >>> memory_left(Path("no such folder")) is None
    True
    """
    most, taken = memory(place), _numbers(place / "memory.current")
    return None if most is None or not taken else max(0, most - taken[0])


def cores(place: Path = PLACE) -> int | None:
    """Processors' worth of time that may be used, rounded up; None where nothing is limited."""
    found = _numbers(place / "cpu.max")  # microseconds of each period, and the period
    return max(1, math.ceil(found[0] / found[1])) if len(found) == 2 and found[1] else None


def _numbers(file: Path) -> list[int]:
    """The whole numbers in a file; none where it says "max", cannot be read, or is not there."""
    try:
        words = file.read_text(encoding="ascii").split()
    except (OSError, UnicodeError):
        return []
    return [int(word) for word in words] if words and all(word.isdigit() for word in words) else []
