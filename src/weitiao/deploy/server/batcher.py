"""What is answered next: records of many requests become batches under a budget of tokens, short ones first and none forgotten.

Plain Python: it knows costs and times, and nothing of HTTP, models or processes.
"""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

# Tokens that a second of waiting is worth: a record of 500 tokens lets shorter ones pass that come within ten seconds after it. Short ones
# are a small part of the work, so that long ones lose little by it.
AGEING = 50.0
PASSED = 10.0  # seconds after which no later record is answered first, however long the earlier one is
SHORT = 64  # tokens up to which all records are of one size
MOST = 128  # records in a batch


@dataclass
class Job:
    """One record that is to be answered.

    Attributes:
        group: jobs of different groups never share a batch.
        content: what is asked; the batcher does not look at it.
        cost: in tokens.
        arrived: when, in seconds of a clock that never goes back.
        alone: to be answered in a batch of its own.
        waiting: whether it is in the queue.
        future: whoever waits for the answer; the batcher does not look at it.
    """

    group: str
    content: Any
    cost: int
    arrived: float
    alone: bool = False
    waiting: bool = False
    future: Any = field(default=None, repr=False)

    @property
    def due(self) -> float:
        """Its place in the queue: the smaller, the sooner."""
        return self.arrived * AGEING + min(self.cost, AGEING * PASSED)


class Batcher:
    """A bounded queue of jobs.

    Jobs of one size and one group wait in one line, so that a batch holds what is about equally long: a short answer is not kept until a
    long one beside it is done, and little is padded. The line whose first job is due soonest is served; as what has waited is due sooner,
    nothing starves.

    Args:
        capacity: most jobs that wait.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.cost = 0  # of all that wait
        self._count = 0
        self._lines: dict[tuple[str, int], list[tuple[float, int, Job]]] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return self._count

    def offer(self, jobs: Sequence[Job]) -> bool:
        """Let the jobs wait, all of them, or none where there is no room."""
        if self._count + len(jobs) > self.capacity:
            return False
        for job in jobs:
            self._push(job)
        return True

    def again(self, job: Job) -> None:
        """Let a job wait once more, alone, whether there is room or not: it was accepted."""
        job.alone = True
        self._push(job)

    def forget(self, job: Job) -> None:
        """Nobody waits for its answer any more."""
        if job.waiting:
            self._settle(job)
            job.content = None  # its place in the line is only cleared when it comes to the front

    def take(self, budget: Callable[[str], int]) -> list[Job]:
        """The next batch; [] where nothing waits.

        Args:
            budget: most tokens in a batch of a group. A single job over it gets a batch of its own.
        """
        heads = [(line[0][0], key) for key in list(self._lines) if (line := self._trimmed(key))]
        if not heads:
            return []
        _due, key = min(heads)
        first = self._pop(key)
        batch, room = [first], budget(key[0]) - first.cost
        while not first.alone and len(batch) < MOST and (line := self._trimmed(key)):
            job = line[0][2]
            if job.alone or job.cost > room:
                break
            room -= job.cost
            batch.append(self._pop(key))
        return batch

    def _push(self, job: Job) -> None:
        job.waiting = True
        self._count += 1
        self.cost += job.cost
        heapq.heappush(self._lines.setdefault((job.group, size_of(job.cost)), []), (job.due, next(self._numbers), job))

    def _pop(self, key: tuple[str, int]) -> Job:
        job = heapq.heappop(self._lines[key])[2]
        self._settle(job)
        return job

    def _settle(self, job: Job) -> None:
        job.waiting = False
        self._count -= 1
        self.cost -= job.cost

    def _trimmed(self, key: tuple[str, int]) -> list[tuple[float, int, Job]]:
        """A line that begins with a job that still waits; an empty one is removed."""
        line = self._lines.get(key, [])
        while line and not line[0][2].waiting:
            heapq.heappop(line)
        if not line:
            self._lines.pop(key, None)
        return line


def size_of(cost: int) -> int:
    """Which jobs are about equally long: up to 64 tokens, up to 256, up to 1024, ...

    >>> [size_of(cost) for cost in (1, 64, 65, 256, 257, 1025)]
    [0, 0, 1, 1, 2, 3]
    """
    size, most = 0, SHORT
    while cost > most:
        size, most = size + 1, most * 4
    return size
