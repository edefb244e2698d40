"""A server from its socket to its last answer: uvicorn with our own end, and connections that send nothing are not kept for ever."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import uvicorn

from weitiao.config import ServerSettings
from weitiao.deploy.demo.examples import language_of
from weitiao.deploy.listening import CONNECTIONS, LOOPBACK, listen, url_of
from weitiao.deploy.server.app import make_app
from weitiao.deploy.server.crew import has_gpu, workers_for
from weitiao.deploy.server.gate import Gate, log
from weitiao.deploy.server.pool import Pool
from weitiao.deploy.server.served import Served
from weitiao.deploy.server.worker import Loader
from weitiao.messages import _

HEADERS = 15.0  # seconds within which a request's headers have arrived
IDLE = 30  # seconds that a connection without a request is kept
NOTICE = 0.5  # seconds between /ready saying that the server stops and its socket closing
LAST = 30.0  # seconds beyond a request's time that a stopping server waits for answers to be read


def serve(
    models: Mapping[str, Served],
    load: Loader,
    settings: ServerSettings,
    keys: Sequence[str] = (),
    *,
    started: Callable[[str], None],
    warn: Callable[[str], None],
) -> None:
    """Serve until told to stop by SIGTERM or Ctrl-C: what was accepted is answered first.

    Args:
        load: called in every worker; gives a predictor for each name in ``models``.
        keys: any of which lets a request in; none where everybody may ask.
        started: hears the URL once requests are answered.
        warn: hears what people should know.

    Raises:
        UsageError: it cannot listen there.
        WeitiaoError: a model cannot be loaded.
    """
    with contextlib.closing(listen(settings.host, settings.port)) as bound:
        if settings.host not in LOOPBACK and not keys:
            warn(
                _("Everybody who reaches {host} may ask: set a key with --api-key-env, or keep to --host 127.0.0.1.").format(
                    host=settings.host
                )
            )
        # uvloop's loop, where that is installed
        with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
            runner.run(_serve(models, load, settings, keys, bound, started))


async def _serve(
    models: Mapping[str, Served],
    load: Loader,
    settings: ServerSettings,
    keys: Sequence[str],
    bound: socket.socket,
    started: Callable[[str], None],
) -> None:
    from weitiao.engine.devices import free_memory, physical_cores

    loop = asyncio.get_running_loop()
    cores = physical_cores()
    if not settings.workers:
        records = [model.record for model in models.values()]
        settings = replace(settings, workers=workers_for(records, cores, free_memory("cpu"), gpu=has_gpu()))
    writes = {name: model.task.answers_by == "generate" for name, model in models.items()}
    languages = {name: language_of(model.record or {}) for name, model in models.items()}
    pool = Pool(load, settings, max(1, cores // settings.workers), writes, log.warning, languages)
    gate = make_app(models, settings, keys, pool)
    server = _Server(_config(gate))
    stopping = asyncio.Event()

    def stop(*_signal: Any) -> None:
        loop.call_soon_threadsafe(_stop, gate, server, stopping)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    pool.start()
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    told = asyncio.create_task(stopping.wait())
    try:
        waited: set[asyncio.Future[Any]] = {pool.ready, told, serving}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if pool.ready.done():
            for name, facts in pool.ready.result().items():
                models[name].facts = facts
            started(url_of(bound))
            await asyncio.wait({told, serving}, return_when=asyncio.FIRST_COMPLETED)
        await _drained(gate, settings.timeout + LAST, server)
    finally:
        server.should_exit = True
        told.cancel()
        await serving
        pool.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(gate: Gate, server: "_Server", stopping: asyncio.Event) -> None:
    """The first time: accept no more. The second: wait for nothing."""
    if gate.closing:
        server.force_exit = True
    gate.closing = True
    stopping.set()


async def _drained(gate: Gate, limit: float, server: "_Server") -> None:
    """Until what was accepted is answered."""
    await asyncio.sleep(NOTICE)
    end = asyncio.get_running_loop().time() + limit
    while gate.inside and not server.force_exit and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.05)


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None are."""
        yield


def _config(app: Any) -> uvicorn.Config:
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=5,
        limit_concurrency=CONNECTIONS,
        proxy_headers=False,
    )
    config.load()
    config.http_protocol_class = _in_time(config.http_protocol_class)
    return config


def _in_time(protocol: Any) -> Any:
    """uvicorn's protocol, which closes a connection whose next request has not arrived in time. uvicorn itself waits for ever for headers
    that never end, and for the rest of a body that nobody reads any more.
    """

    class InTime(protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._wait()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._settle()

        def connection_lost(self, error: Exception | None) -> None:
            self._settle()
            super().connection_lost(error)

        def _wait(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._settle()  # a page is at work; the gate has an eye on the body
            elif self._late is None:
                self._late = self.loop.call_later(HEADERS, self.transport.close)

        def _settle(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return InTime
