"""The page of a model, served from a thread of the test's own process."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from weitiao.deploy.demo.page import Page
from weitiao.deploy.demo.running import application, own_files
from weitiao.deploy.listening import listen, url_of


@contextlib.contextmanager
def shown(model: Any, flags: tuple[str, ...] = ()) -> Iterator[str]:
    """The page's address."""
    with own_files(), contextlib.closing(listen("127.0.0.1", 0)) as bound:
        config = uvicorn.Config(application(Page(model, flags)), log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])), daemon=True)
        thread.start()
        try:
            yield url_of(bound)
        finally:
            server.should_exit = True
            thread.join(20)
