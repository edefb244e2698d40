"""What the pages of a server share: how a body is read, and how answers are waited for. It knows the pool and no page."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from fastapi import Request

from weitiao.config import ServerSettings
from weitiao.deploy.server.answering import Answer, Asked, Form
from weitiao.deploy.server.gate import Stop
from weitiao.deploy.server.pool import Overloaded, Pool
from weitiao.deploy.server.reading import NotJson, read_json
from weitiao.deploy.server.served import Served

STATUSES = {
    400: "The request cannot be understood.",
    401: "A key is needed.",
    404: "There is no such model.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body must be application/json.",
    422: "A record is not what the task takes; `loc` says where.",
    429: "Too much is waiting already; `Retry-After` says when to come again.",
    500: "The model failed.",
    503: "The server is starting or stopping.",
    504: "The answer would have come too late.",
}


class Service:
    """What the pages share.

    Attributes:
        models: by name; the first one answers where no name is said.
    """

    def __init__(self, models: Mapping[str, Served], settings: ServerSettings, pool: Pool) -> None:
        self.models, self.settings, self.pool = models, settings, pool

    async def answers(self, request: Request, model: Served, records: Sequence[Mapping[str, Any]], form: Form = "json") -> list[Answer]:
        """One answer a record.

        Raises:
            Stop: there is no room, the answer would come too late, the client has left, or the model failed.
        """
        try:
            jobs = self.pool.submit(model.name, [Asked(record, at, form) for at, record in enumerate(records)])
        except Overloaded as error:
            raise Stop(429, "Too much is waiting already.", after=error.after) from None
        try:
            answers: list[Answer] = await self.in_time(request, asyncio.gather(*(job.future for job in jobs)))
        finally:
            self.pool.forget(jobs)
        if any(answer.state == "failed" for answer in answers):
            raise Stop(500, "The model failed; the log says why.")
        return answers

    async def in_time(self, request: Request, work: "asyncio.Future[Any]") -> Any:
        """What is awaited, within the time that a request has and as long as its client is there. Raises Stop."""
        left = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait({work, left}, timeout=self.settings.timeout, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            if left.done():
                raise Stop(499, "The client has left.")
            raise Stop(504, f"There was no answer within {self.settings.timeout:g} seconds.", after=1)
        finally:
            for one in (work, left):
                one.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await one


async def body_of(request: Request) -> Any:
    """The JSON of a request's body. Raises Stop: a browser can send any other kind from any page, without asking."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Stop(415, "The body must be application/json.")
    try:
        return read_json(await request.body())
    except NotJson as error:
        raise Stop(422, str(error)) from None


async def _gone(request: Request) -> None:
    """Until the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
