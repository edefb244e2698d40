"""The worker processes as the event loop sees them: batches and streams go out, answers come back, and one that dies is started again.

All of it runs in the event loop's thread but for two threads a worker, which wait at its pipe. It knows no HTTP and no model.
"""

import asyncio
import itertools
import math
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from weitiao import errors
from weitiao.config import ServerSettings
from weitiao.deploy.server.answering import Answer, Asked
from weitiao.deploy.server.batcher import Batcher, Job
from weitiao.deploy.server.figures import Figures
from weitiao.deploy.server.worker import Loader, work
from weitiao.messages import _

PASS = 0.08  # seconds that a batch should take: whoever comes behind waits so long at least
LEAST, MANY = 512, 16384  # tokens in a batch
WRITING = 4096  # tokens in a batch of a model that writes: what it writes costs far more, together little more than alone
PATIENCE = 0.5  # of a request's time: the most that may wait before it, since no guess of a speed holds for long
STREAMS = 4  # of a worker, as far as its model can write several side by side
WAITING_STREAMS = 32
TRIES = 2  # of a record whose worker died
GIVING_UP = 3  # deaths in a row before a worker is ready
BREAK = 0.5  # seconds before a worker is started again, doubled each time
STUCK = 300.0  # seconds that a batch may take beyond a request's time before its worker counts as dead


class Overloaded(Exception):
    """There is no room. ``after`` is in how many seconds there may be."""

    def __init__(self, after: float) -> None:
        super().__init__()
        self.after = max(1, math.ceil(after))


class Refused(Exception):
    """A stream's record is at fault; the message says why."""


class Failed(Exception):
    """A stream could not be finished."""


@dataclass
class Stream:
    """A text that is being written for somebody, or waits for a worker."""

    number: int
    content: tuple[Any, ...]
    heard: "asyncio.Queue[tuple[Any, ...]]" = field(default_factory=asyncio.Queue)
    over: bool = False


class _Worker:
    """A process, its pipe, and what it is busy with."""

    def __init__(
        self,
        load: Loader,
        threads: int,
        languages: Mapping[str, str],
        hear: Callable[["_Worker", tuple[Any, ...]], None],
        later: Callable[..., Any],
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, load, threads, languages), daemon=True)
        self.process.start()
        theirs.close()  # so that its end is closed when it dies
        self.ready, self.batch, self.since = False, list[Job](), 0.0
        self.streams: dict[int, Stream] = {}
        self._outbox: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        for target, own in ((self._write, ()), (self._read, (hear, later))):
            threading.Thread(target=target, args=own, daemon=True).start()

    def send(self, message: tuple[Any, ...]) -> None:
        """Without waiting for a pipe that is full."""
        self._outbox.put(message)

    def close(self) -> None:
        """Let it go. A pipe that a thread reads from is not closed by closing it here, so it is told."""
        self._outbox.put(("stop",))
        self._outbox.put(None)

    def _write(self) -> None:
        try:
            while (message := self._outbox.get()) is not None:
                self.pipe.send(message)
        except OSError:
            return

    def _read(self, hear: Callable[["_Worker", tuple[Any, ...]], None], later: Callable[..., Any]) -> None:
        try:
            while True:
                message = self.pipe.recv()
                later(hear, self, message)
        except (EOFError, OSError, RuntimeError):  # RuntimeError: the loop is closed
            self.process.join()
            try:
                later(hear, self, ("died", self.process.exitcode))
            except RuntimeError:
                return


class Pool:
    """Workers that share one queue.

    Attributes:
        ready: done once the first worker can answer: its facts about each model; or the error that keeps every one from it.
    """

    def __init__(
        self,
        load: Loader,
        settings: ServerSettings,
        threads: int,
        writes: Mapping[str, bool],
        warn: Callable[[str], None],
        languages: Mapping[str, str] | None = None,
    ) -> None:
        """``writes`` says of each model whether it writes its answers, ``languages`` in which its texts are; ``warn`` hears of workers that
        died.
        """
        self._load, self._settings, self._threads, self._writes, self._warn = load, settings, threads, writes, warn
        self._languages = languages or {}
        self.queue = Batcher(settings.queue)
        self.figures = Figures(lambda: len(self.queue), lambda: sum(worker.ready for worker in self._workers))
        self.ready: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._workers: list[_Worker] = []
        self._streams: deque[Stream] = deque()
        self._numbers = itertools.count()
        self._speed: dict[str, float] = {}  # tokens a second of one worker
        self._scale: dict[str, float] = {}  # tokens that are read for one that was guessed
        self._deaths, self._closed = 0, False
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start every worker."""
        self._watching = asyncio.create_task(self._watch())
        for _number in range(self._settings.workers):
            self._start_one()

    @property
    def able(self) -> bool:
        """Whether any worker can answer."""
        return any(worker.ready for worker in self._workers)

    def guess(self, model: str, record: Mapping[str, Any]) -> int:
        """About how many tokens a record is, at once: a fourth of its bytes, corrected by what was read so far."""
        return 2 + round(self._scale.get(model, 1.0) * _bytes(record) / 4)

    def submit(self, model: str, asked: Sequence[Asked]) -> list[Job]:
        """Let records wait for their answers; each job's ``future`` becomes an ``Answer``.

        Raises:
            Overloaded: there is no room, or what waits already takes a large part of the time that a request has.
        """
        loop, now = asyncio.get_running_loop(), time.monotonic()
        jobs = [Job(model, one, self.guess(model, one.record), now, future=loop.create_future()) for one in asked]
        if self.wait(model) > PATIENCE * self._settings.timeout or not self.queue.offer(jobs):
            raise Overloaded(self.wait(model))
        self._dispatch()
        return jobs

    def full(self) -> bool:
        """Whether not even one record could wait."""
        return len(self.queue) >= self.queue.capacity

    def wait(self, model: str = "") -> float:
        """Seconds until what waits now is answered, as far as one can tell."""
        speed = self._speed.get(model) or min(self._speed.values(), default=0.0)
        return self.queue.cost / (speed * len(self._workers)) if speed else 0.0

    def forget(self, jobs: Sequence[Job]) -> None:
        """Nobody waits for these any more."""
        for job in jobs:
            self.queue.forget(job)
            job.future.cancel()

    async def stream(
        self, model: str, record: Mapping[str, Any], arguments: Mapping[str, Any], stops: Sequence[str]
    ) -> AsyncGenerator[str | Mapping[str, Any], None]:
        """What a model writes, piece by piece, and last how it ended. Closing it early stops the writing.

        Raises:
            Overloaded, Refused, Failed: see there.
        """
        if len(self._streams) >= WAITING_STREAMS:
            raise Overloaded(5.0)
        stream = Stream(next(self._numbers), (model, record, arguments, stops))
        self._streams.append(stream)
        self._dispatch()
        try:
            while True:
                kind, content = await stream.heard.get()
                if kind == "refused":
                    raise Refused(content)
                if kind == "failed":
                    self.figures.failures.labels(model).inc()
                    raise Failed(content)
                yield content
                if kind == "end":
                    self.figures.records.labels(model).inc()
                    self.figures.tokens.labels(model).inc(content["prompt_tokens"])
                    return
        finally:
            self._leave(stream)

    def close(self) -> None:
        """Let all workers go."""
        self._closed = True
        if self._watching is not None:
            self._watching.cancel()
        for worker in self._workers:
            worker.close()
        for worker in self._workers:
            worker.process.join(2)
            if worker.process.is_alive():
                worker.process.kill()

    def _start_one(self) -> None:
        if not self._closed:
            loop = asyncio.get_running_loop()
            self._workers.append(_Worker(self._load, self._threads, self._languages, self._hear, loop.call_soon_threadsafe))

    def _dispatch(self) -> None:
        """Give every idle worker something to do."""
        for worker in self._workers:
            if worker.ready and not worker.batch and (batch := self.queue.take(self._budget)):
                worker.batch, worker.since = batch, time.monotonic()
                worker.send(("batch", batch[0].group, [job.content for job in batch]))
        while self._streams:
            free = [worker for worker in self._workers if worker.ready and len(worker.streams) < STREAMS]
            if not free:
                return
            stream, worker = self._streams.popleft(), min(free, key=lambda worker: len(worker.streams))
            worker.streams[stream.number] = stream
            worker.send(("stream", stream.number, *stream.content))

    def _budget(self, model: str) -> int:
        """Most tokens in a model's batch: as many as it reads in ``PASS``."""
        if self._writes[model]:
            return WRITING
        return int(min(MANY, max(LEAST, self._speed.get(model, 0.0) * PASS)))

    def _hear(self, worker: _Worker, message: tuple[Any, ...]) -> None:
        kind, *content = message
        if kind == "ready":
            worker.ready, self._deaths = True, 0
            if not self.ready.done():
                self.ready.set_result(content[0])
        elif kind == "unfit":
            self._give_up(_error(content[0], content[1]))
        elif kind == "batch":
            self._answered(worker, content[0], content[1])
        elif kind == "died":
            self._mourn(worker, content[0])
        elif stream := worker.streams.get(content[0]):
            if kind != "piece":
                del worker.streams[stream.number]
                stream.over = True
            stream.heard.put_nowait((kind, content[1]))
        self._dispatch()

    def _answered(self, worker: _Worker, answers: Sequence[Answer], seconds: float) -> None:
        batch, worker.batch = worker.batch, []
        model = batch[0].group
        tokens = sum(answer.tokens for answer in answers)
        if tokens:
            speed = tokens / max(seconds, 1e-6)
            # A small batch takes its time without much to show: it says how fast a worker is at least.
            if tokens >= LEAST / 2 or speed > self._speed.get(model, speed):
                self._learn(self._speed, model, speed)
            guessed = sum(_bytes(job.content.record) / 4 for job, answer in zip(batch, answers, strict=True) if answer.tokens)
            self._learn(self._scale, model, min(4.0, tokens / max(guessed, 1.0)))
        self.figures.batch_records.labels(model).observe(len(batch))
        self.figures.batch_tokens.labels(model).observe(tokens)
        self.figures.batch_seconds.labels(model).observe(seconds)
        self.figures.records.labels(model).inc(sum(answer.state == "done" for answer in answers))
        self.figures.tokens.labels(model).inc(tokens)
        for job, answer in zip(batch, answers, strict=True):
            self._tell(job, answer)

    def _tell(self, job: Job, answer: Answer) -> None:
        if answer.state == "failed":
            self.figures.failures.labels(job.group).inc()
            self._warn(f"a record could not be answered by {job.group}: {answer.text}")
        if not job.future.done():
            job.future.set_result(answer)

    @staticmethod
    def _learn(known: dict[str, float], model: str, value: float) -> None:
        known[model] = value if model not in known else 0.9 * known[model] + 0.1 * value

    def _mourn(self, worker: _Worker, code: int | None) -> None:
        """A worker is gone: what it was busy with is tried once more, and another takes its place."""
        if self._closed or worker not in self._workers:
            return
        self._workers.remove(worker)
        self.figures.restarts.inc()
        self._deaths += 1
        self._warn(f"a worker died (exit code {code}); another is started")
        for job in worker.batch:
            if job.future.done():
                continue
            # Alone, so that a record that kills a worker takes no other with it.
            if job.alone:
                self._tell(job, Answer("failed", _("The worker that was to answer this died.")))
            else:
                self.queue.again(job)
        for stream in worker.streams.values():
            stream.over = True
            stream.heard.put_nowait(("failed", _("The worker that was writing this died.")))
        if self._deaths >= GIVING_UP and not self.ready.done():
            message = _("The workers die before they can answer (exit code {code}). Is there enough memory? Try fewer --workers.")
            self._give_up(errors.ResourceError(message.format(code=code)))
            return
        asyncio.get_running_loop().call_later(min(30.0, BREAK * 2 ** min(self._deaths - 1, 6)), self._start_one)

    def _give_up(self, error: errors.WeitiaoError) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)

    def _leave(self, stream: Stream) -> None:
        """Nobody reads a stream any more."""
        if stream in self._streams:
            self._streams.remove(stream)
        for worker in self._workers:
            if not stream.over and stream.number in worker.streams:
                del worker.streams[stream.number]
                worker.send(("cancel", stream.number))
        self._dispatch()

    async def _watch(self) -> None:
        """End workers whose batch will never be done."""
        while True:
            await asyncio.sleep(5)
            for worker in self._workers:
                if worker.batch and time.monotonic() - worker.since > self._settings.timeout + STUCK:
                    worker.process.kill()


def _error(message: str, exit_code: int) -> errors.WeitiaoError:
    """The error that a worker met."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.WeitiaoError)]
    return next((kind for kind in kinds if kind.exit_code == exit_code), errors.WeitiaoError)(message)


def _bytes(value: Any) -> int:
    """About how much text there is in a record."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return sum(_bytes(one) for one in value.values())
    return sum(_bytes(one) for one in value) if isinstance(value, (list, tuple)) else 0
