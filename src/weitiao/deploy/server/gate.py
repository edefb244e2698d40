"""What every request passes before any page sees it: a number, a key, room, a limit on its size and on the time it takes to arrive.

An ASGI application around another one. It knows HTTP and no model; it writes the log, in which no text of a request stands unless asked.
"""

import asyncio
import hmac
import json
import logging
import re
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from weitiao.config import ServerSettings
from weitiao.deploy.server.figures import Figures

log = logging.getLogger("weitiao.serve")

OPEN = ("/health", "/ready", "/docs", "/")  # pages that need no key: they say nothing of what is served
ARRIVAL = 20.0  # seconds within which a body has arrived
HELD = 256 * 2**20  # bytes of bodies in memory at a time
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Stop(Exception):
    """A request goes no further.

    Attributes:
        after: seconds after which it may be sent again; 0 for never.
    """

    def __init__(self, status: int, message: str, *, after: int = 0, close: bool = False) -> None:
        super().__init__(message)
        self.status, self.message, self.after, self.close = status, message, after, close


class Gate:
    """See the module.

    Attributes:
        inside: requests that were accepted and are not answered yet.
        closing: whether no more are accepted.

    Args:
        keys: any of which lets a request in; none where everybody may ask.
        able: whether anything can be answered now.
        full: 0 while more can wait, else about the seconds until then.
    """

    def __init__(
        self,
        app: Any,
        settings: ServerSettings,
        keys: Sequence[str],
        figures: Figures,
        able: Callable[[], bool],
        full: Callable[[], float],
    ) -> None:
        self._app, self._settings, self._figures, self._able, self._full = app, settings, figures, able, full
        self.inside, self.closing, self._held = 0, False, 0
        self._keys = [key.encode("utf-8") for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, headers = time.monotonic(), dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        number = given if re.fullmatch(r"[\w.-]{1,128}", given, re.ASCII) else uuid.uuid4().hex
        scope["request_id"] = number
        status, begun = 500, False

        async def answer(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                more = [(b"x-request-id", number.encode()), (b"x-content-type-options", b"nosniff")]
                more += [(b"connection", b"close")] if self.closing else []
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        self.inside += 1
        asked: list[bytes] = []
        try:
            await self._app(scope, await self._admitted(scope, headers, receive, asked), answer)
        except Stop as stop:
            await _say(answer, scope["path"], stop)
        except Exception as error:
            # Without its message, which may quote what was asked.
            log.error("%s %s\n%s", number, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)[-6:]))
            if not begun:
                await _say(answer, scope["path"], Stop(500, f"A bug in weitiao; the log has more under {number}."))
        finally:
            self.inside -= 1
            self._held -= sum(map(len, asked))
            self._note(scope, status, time.monotonic() - began, number, asked)

    async def _admitted(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, asked: list[bytes]) -> Receive:
        """What the page reads from, once the body is here. Raises Stop for whoever may not go on."""
        if scope["path"] in OPEN:
            return receive
        if self._keys and not self._knows(headers):
            raise Stop(401, "A key is needed: Authorization: Bearer KEY.")
        if scope["method"] != "POST":
            return receive
        if self.closing:
            raise Stop(503, "The server is stopping.", after=5)
        if not self._able():
            raise Stop(503, "No model is loaded yet.", after=5)
        if wait := self._full():
            raise Stop(429, "Too much is waiting already.", after=max(1, round(wait)))
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._settings.max_body:
            raise self._too_large()
        try:
            async with asyncio.timeout(ARRIVAL):
                await self._read(receive, asked)
        except TimeoutError:
            raise Stop(408, f"The body did not arrive within {ARRIVAL:g} seconds.", close=True) from None
        return _replay(b"".join(asked), receive)

    def _knows(self, headers: Mapping[bytes, bytes]) -> bool:
        kind, _blank, bearer = headers.get(b"authorization", b"").partition(b" ")
        given = bearer.strip() if kind.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        # All of them, so that the time tells nothing.
        return sum(hmac.compare_digest(given, key) for key in self._keys) > 0

    async def _read(self, receive: Receive, asked: list[bytes]) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Stop(400, "The body ended early.")
            body, more = message.get("body", b""), message.get("more_body", False)
            size += len(body)
            if size > self._settings.max_body:
                raise self._too_large()
            if self._held + len(body) > HELD:
                raise Stop(429, "Too much is waiting already.", after=1)
            self._held += len(body)
            asked.append(body)

    def _too_large(self) -> Stop:
        return Stop(413, f"The body is too large: at most {self._settings.max_body} bytes are taken.")

    def _note(self, scope: Scope, status: int, seconds: float, number: str, asked: list[bytes]) -> None:
        route = scope.get("route")
        page = getattr(route, "path", None) or "other"
        self._figures.requests.labels(page, str(status)).inc()
        self._figures.seconds.labels(page).observe(seconds)
        if page in OPEN[:2]:
            return
        text = (
            " " + json.dumps(b"".join(asked).decode("utf-8", "replace"), ensure_ascii=False) if self._settings.log_texts and asked else ""
        )
        log.info("%s %s %s %d %.0f ms%s", number, scope["method"], page, status, seconds * 1000, text)


def problem(path: str, status: int, message: str, details: Any = None) -> dict[str, Any]:
    """What the body of an error says: in OpenAI's own form for the pages that are like theirs."""
    if path.startswith("/v1/"):
        kind = "invalid_request_error" if status < 500 else "server_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": details if isinstance(details, str) else None}}
    return {"detail": message if details is None else details}


async def _say(send: Send, path: str, stop: Stop) -> None:
    headers = [(b"content-type", b"application/json")]
    if stop.after:
        headers.append((b"retry-after", str(stop.after).encode()))
    if stop.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if stop.close:
        headers.append((b"connection", b"close"))
    body = json.dumps(problem(path, stop.status, stop.message)).encode()
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": stop.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once more; behind it whatever comes, which is that the client has left."""
    given = False

    async def again() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
