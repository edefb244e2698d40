"""A client that loads a server: so many at a time, or so many a second whatever the server does. It knows HTTP/1.1 and times, no server."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LATE = 120.0  # seconds after which an answer is given up


@dataclass
class Seen:
    """What became of requests.

    Attributes:
        statuses: by status; "refused" where no connection was to be had, "lost" where one that was sent got no answer.
        lost: when those were sent that got no answer.
        seconds: (when it was sent, how long it took, words) of each that was answered with 200.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    lost: list[float] = field(default_factory=list)
    seconds: list[tuple[float, float, int]] = field(default_factory=list)

    def share(self, quantile: float, most_words: int = 10**9) -> float:
        """Seconds within which so large a share of the requests of at most so many words was answered."""
        times = sorted(took for _sent, took, words in self.seconds if words <= most_words)
        return times[min(len(times) - 1, int(quantile * len(times)))] if times else float("nan")

    def rate(self, begin: float, end: float) -> float:
        """Answers a second between two times."""
        return sum(begin <= sent + took < end for sent, took, _words in self.seconds) / (end - begin)


class Connections:
    """Connections to a server that are kept open and used again."""

    def __init__(self, port: int) -> None:
        self._port, self._free = port, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()

    async def ask(self, path: str, text: str | None, seen: Seen) -> str:
        """One request; its status, which ``seen`` notes too."""
        began, status = time.perf_counter(), "refused"
        body = b"" if text is None else json.dumps({"text": text}).encode()
        method = "GET" if text is None else "POST"
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        used = bool(self._free)
        try:
            async with asyncio.timeout(LATE):
                pair = self._free.pop() if self._free else await asyncio.open_connection("127.0.0.1", self._port)
                status = "lost"
                pair[1].write(head.encode() + body)
                status, close = await _answer(pair[0])
                if close:
                    pair[1].close()
                else:
                    self._free.append(pair)
        except _Closed:
            # A kept connection may be closed by a server that has not read the request, and then it is asked again.
            if used:
                return await self.ask(path, text, seen)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            pass
        seen.statuses[status] += 1
        seen.lost += [began] if status == "lost" else []
        if status == "200":
            seen.seconds.append((began, time.perf_counter() - began, len((text or "").split())))
        return status


class _Closed(Exception):
    """Nothing came back at all."""


async def _answer(reader: asyncio.StreamReader) -> tuple[str, bool]:
    """(status, whether the connection ends) of an answer that is read whole."""
    line = await reader.readline()
    if not line:
        raise _Closed
    status, length, close = line.split()[1].decode(), 0, False
    while (header := await reader.readline()).strip():
        name, _colon, value = header.decode("latin-1").partition(":")
        length = int(value) if name.lower() == "content-length" else length
        close = close or (name.lower() == "connection" and value.strip().lower() == "close")
    await reader.readexactly(length)
    return status, close


async def closed(port: int, text: Callable[[], str], at_a_time: int, seconds: float, seen: Seen) -> None:
    """So many requests at a time, each followed by the next at once."""
    connections, end = Connections(port), time.perf_counter() + seconds

    async def one() -> None:
        while time.perf_counter() < end:
            if await connections.ask("/predict", text(), seen) == "refused":
                return

    await asyncio.gather(*(one() for _ in range(at_a_time)))


async def open_(port: int, text: Callable[[], str], a_second: float, seconds: float, seen: Seen, draw: random.Random) -> None:
    """So many requests a second, at random times, whether the earlier ones are answered or not."""
    connections, began, due = Connections(port), time.perf_counter(), 0.0
    waiting: set[asyncio.Task[Any]] = set()
    while due < seconds:
        due += draw.expovariate(a_second)
        if (early := began + due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        task = asyncio.create_task(connections.ask("/predict", text(), seen))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    if waiting:
        await asyncio.wait(waiting, timeout=LATE)


async def probed(port: int, path: str, seconds: float, seen: Seen) -> None:
    """A page asked for ten times a second."""
    connections, end = Connections(port), time.perf_counter() + seconds
    while time.perf_counter() < end:
        await connections.ask(path, None, seen)
        await asyncio.sleep(0.1)
