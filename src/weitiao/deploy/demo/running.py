"""The page from its socket to its end: gradio inside our own server, which sends nobody anywhere else, and keeps what is uploaded no longer
than it runs.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio
import uvicorn
from fastapi import FastAPI

from weitiao.deploy.demo.page import Page
from weitiao.deploy.listening import LOOPBACK, listen, reached_at, url_of
from weitiao.errors import NetworkError, ResourceError
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.model import Model

log = logging.getLogger("weitiao.demo")

LARGEST = "50mb"  # file that is taken
WAITING = 100  # questions at a time; who comes then is asked to come again
LAST = 3  # seconds within which a stopping server lets its answers be read
# gradio's pages make functions of texts (handlebars) and style elements in place; what no page of it needs is another host.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; frame-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)
FILES = "/gradio_api/file="  # how the paths of what visitors sent, and of results, begin
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")
MONOSPACE = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def serve(
    load: "Callable[[], Model]",
    host: str,
    port: int,
    *,
    flags: tuple[str, ...] = (),
    share: bool = False,
    started: Callable[[str, str], None],
    warn: Callable[[str], None],
) -> None:
    """Show a model's page until told to stop by SIGTERM or Ctrl-C.

    Args:
        load: gives the model, its weights read; called once there is a port to listen on.
        flags: what a command about this model must say again.
        share: also under a public address, through gradio's tunnel.
        started: hears the address once the page can be opened, and the public one, "" where there is none.
        warn: hears what people should know.

    Raises:
        UsageError: it cannot listen there.
        NetworkError: no public address could be had.
        WeitiaoError: the model cannot be loaded.
        ResourceError: the page cannot be started.
    """
    with contextlib.closing(listen(host, port)) as bound, own_files() as folder:
        public = public_address(bound, folder) if share else ""
        if public or host not in LOOPBACK:
            message = _("Everybody who reaches {address} may ask this model; stop the page with Ctrl-C when that is over.")
            warn(message.format(address=public or host))
        app = application(Page(load(), flags))
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=LAST))
        asyncio.run(_serve(server, bound, lambda: started(url_of(bound), public)))


def application(page: Page) -> FastAPI:
    """The page as an ASGI application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guarded)
    page.blocks.queue(default_concurrency_limit=1, api_open=False, max_size=WAITING)
    # As after gradio's own launch(): before it, gradio copies any file that a request names to where it can be fetched.
    page.blocks.has_launched = page.blocks.is_running = True
    return gradio.mount_gradio_app(app, page.blocks, path="", **appearance(page))


def appearance(page: Page) -> dict[str, Any]:
    """What gradio is told of a page, whoever serves it: how it looks, what it keeps, and that nothing of it comes from elsewhere."""
    return {
        "theme": _theme(),
        "css": page.css,
        "i18n": page.words.catalogue,
        "footer_links": [],
        "run_history": False,
        "show_error": False,
        "max_file_size": LARGEST,
        "allowed_paths": page.pictures,
        "ssr_mode": False,
        "pwa": False,
    }


def _theme() -> Any:
    """The report's colours, and the fonts of whoever looks at it."""
    theme = gradio.themes.Base(primary_hue="blue", neutral_hue="stone", radius_size="lg", font=SYSTEM_FONTS, font_mono=MONOSPACE)
    return theme.set(
        body_background_fill="#f7f6f3",
        body_background_fill_dark="#131518",
        body_text_color="#1d2024",
        body_text_color_dark="#e7e6e3",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1b1e22",
        block_border_color="#e3e1db",
        block_border_color_dark="#30343a",
        input_background_fill="#f9f8f6",
        input_background_fill_dark="#23272c",
        border_color_primary="#e3e1db",
        border_color_primary_dark="#30343a",
        button_primary_background_fill="#2b62b8",
        button_primary_background_fill_hover="#24539c",
        button_primary_background_fill_dark="#3a74cf",
        button_primary_background_fill_hover_dark="#4b82d8",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
    )


@contextlib.contextmanager
def own_files() -> Iterator[Path]:
    """A folder for what visitors upload, which goes when the block ends."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory(prefix="weitiao-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["GRADIO_TEMP_DIR"]
            else:
                os.environ["GRADIO_TEMP_DIR"] = before


def public_address(bound: socket.socket, folder: Path) -> str:
    """An address that gradio's servers pass on to ours, for a week at most. Raises NetworkError where none can be had."""
    from gradio import networking

    # gradio would write this into the folder that people happen to be in.
    networking.CERTIFICATE_PATH = str(folder / "certificate.pem")
    try:
        return str(networking.setup_tunnel(*reached_at(bound), secrets.token_urlsafe(32), None, None))
    except Exception as error:  # of several libraries, and of a program that it starts
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        message = _(
            "No public address could be had from gradio's servers: {reason}. --share needs the internet; without it the page opens on this "
            "machine, and with --host 0.0.0.0 in the networks that it is in."
        )
        raise NetworkError(message.format(reason=reason.rstrip("."))) from error


async def _serve(server: uvicorn.Server, bound: socket.socket, started: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def stop(*_signal: Any) -> None:
        loop.call_soon_threadsafe(_stop, server)

    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.02)
        if server.started:
            started()
        await serving
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(server: uvicorn.Server) -> None:
    """The first time: accept no more. The second: wait for nothing."""
    server.force_exit = server.should_exit
    server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us, and a start that fails: it would end the program without a word."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises ResourceError where the page does not start."""
        with contextlib.suppress(SystemExit):
            await super().startup(sockets=sockets)
        if not self.started:
            message = _("The page could not be started; what went wrong stands above. Try another gradio: pip install --upgrade gradio")
            raise ResourceError(message)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None are."""
        yield


class Guarded:
    """Tells browsers with every answer to load nothing from anywhere else, and with every file to run nothing that is in it; writes down
    why the page did not start.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = f"{POLICY}; sandbox" if scope["path"].startswith(FILES) else POLICY
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", policy.encode()),
                    (b"referrer-policy", b"no-referrer"),
                ]
            elif message["type"] == "lifespan.startup.failed":
                log.error("%s", message.get("message", ""))
            await send(message)

        await self._app(scope, receive, guarded)
