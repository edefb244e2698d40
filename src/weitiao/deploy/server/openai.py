"""The pages that clients of OpenAI's interface know: models, embeddings, chat completions with streaming. Of its settings those that count
here are taken; one that would change nothing is refused, never passed over.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import models_json_schema

from weitiao import asking
from weitiao.deploy.server.gate import Stop, problem
from weitiao.deploy.server.pool import Failed, Overloaded, Refused
from weitiao.deploy.server.schemas import Text
from weitiao.deploy.server.served import LONGEST_TEXT, MOST_RECORDS, Served
from weitiao.deploy.server.service import STATUSES, Service, body_of

Kind = TypeVar("Kind", bound=BaseModel)
FORBID = ConfigDict(extra="forbid", hide_input_in_errors=True)
Long = Annotated[str, Field(max_length=LONGEST_TEXT)]


class Embeddings(BaseModel):
    """What is to become vectors."""

    model_config = FORBID
    model: str
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_RECORDS)]
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = Field(None, description="Not looked at.")


class Part(BaseModel):
    """A part of what was said."""

    model_config = FORBID
    type: Literal["text"]
    text: Long


class Said(BaseModel):
    """What one side said."""

    model_config = FORBID
    role: Literal["system", "developer", "user", "assistant"]
    content: Long | list[Part]

    def plain(self) -> dict[str, str]:
        """As our tasks have it."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(BaseModel):
    """What a stream tells beside the text."""

    model_config = FORBID
    include_usage: bool = False


class Chat(BaseModel):
    """A conversation that is to go on."""

    model_config = FORBID
    model: str
    messages: Annotated[list[Said], Field(min_length=1, max_length=1000)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=100_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=10)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stop: Text | Annotated[list[Text], Field(max_length=4)] | None = None
    n: Literal[1] = 1
    frequency_penalty: Literal[0] = 0
    presence_penalty: Literal[0] = 0
    user: str | None = Field(None, description="Not looked at.")

    def arguments(self) -> dict[str, Any]:
        """How the answer is written, as arguments of transformers' ``generate``."""
        given: dict[str, Any] = {"max_new_tokens": self.max_completion_tokens or self.max_tokens, "temperature": self.temperature}
        drawn = asking.drawing({name: value for name, value in given.items() if value is not None})
        return {**drawn, **({"top_p": self.top_p, "do_sample": True} if self.top_p and self.temperature != 0 else {})}


class Page(NamedTuple):
    """A page.

    Attributes:
        kind: what its body is.
        able: the property of ``Served`` that says whether a model answers there.
        does, lacks: what such a model does, and what is said of one that does not.
    """

    kind: type[BaseModel]
    able: str
    does: str
    lacks: str


PAGES = {
    "/v1/embeddings": Page(Embeddings, "gives_vectors", "gives vectors", "gives no vectors"),
    "/v1/chat/completions": Page(Chat, "talks", "holds conversations", "holds no conversations"),
}


def add_pages(app: FastAPI, service: Service) -> None:
    """Add the pages that the served models can answer."""

    async def models() -> dict[str, Any]:
        """What is served."""
        return {"object": "list", "data": [_model(name) for name in service.models]}

    async def embeddings(request: Request) -> Response:
        """Vectors of texts."""
        asked = await _read(request, Embeddings)
        model = _chosen(service, asked.model, "/v1/embeddings")
        texts = [asked.input] if isinstance(asked.input, str) else asked.input
        field = model.task.inputs[0].name
        form: Literal["vector", "base64"] = "base64" if asked.encoding_format == "base64" else "vector"
        answers = await service.answers(request, model, [{field: text} for text in texts], form)
        for answer in answers:
            if answer.state == "refused":
                raise Stop(400, answer.text)
        # What the workers wrote is put together as it is.
        data = ",".join(f'{{"object":"embedding","index":{at},"embedding":{answer.text}}}' for at, answer in enumerate(answers))
        tokens = sum(answer.tokens for answer in answers)
        usage = json.dumps({"prompt_tokens": tokens, "total_tokens": tokens})
        text = f'{{"object":"list","data":[{data}],"model":{json.dumps(model.name)},"usage":{usage}}}'
        return Response(text, media_type="application/json")

    async def completions(request: Request) -> Response:
        """The next answer of a conversation: whole, or piece by piece as server-sent events."""
        asked = await _read(request, Chat)
        model = _chosen(service, asked.model, "/v1/chat/completions")
        record = {model.task.inputs[0].name: [said.plain() for said in asked.messages]}
        stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
        pieces = service.pool.stream(model.name, record, asked.arguments(), stops)
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model.name}
        if not asked.stream:
            return JSONResponse(await service.in_time(request, asyncio.ensure_future(_whole(pieces, head))))
        events = _events(pieces, head, usage=bool(asked.stream_options and asked.stream_options.include_usage))
        # The first piece is awaited here, so that what goes wrong until then has a status of its own.
        first = await service.in_time(request, asyncio.ensure_future(anext(events)))
        return StreamingResponse(_after(first, events), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    app.get("/v1/models", tags=["OpenAI"])(models)
    for (path, about), page in zip(PAGES.items(), (embeddings, completions), strict=True):
        if any(getattr(model, about.able) for model in service.models.values()):
            body = {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{about.kind.__name__}"}}}}
            app.post(path, tags=["OpenAI"], openapi_extra={"requestBody": body}, responses=_replies())(page)


def examples(model: Served) -> dict[str, dict[str, Any]]:
    """A body for each of these pages that a model answers, by the page's address; {} before it is loaded. A page is left out where the
    task's example makes no body that the page would take, such as a conversation in which nobody asks.
    """
    record = model.facts.get("example")
    if not record:
        return {}
    asked = record.get(model.task.inputs[0].name) or ()
    made: dict[str, dict[str, Any]] = {}
    if model.gives_vectors:
        made["/v1/embeddings"] = {"model": model.name, "input": asked}
    if model.talks:
        last = max((at for at, said in enumerate(asked) if said["role"] == "user"), default=-1)  # an answer behind it is what is asked for
        made["/v1/chat/completions"] = {"model": model.name, "messages": asked[: last + 1]}
    return {path: body for path, body in made.items() if _fits(PAGES[path].kind, body)}


def _fits(kind: type[BaseModel], body: Mapping[str, Any]) -> bool:
    try:
        kind.model_validate(body)
    except ValidationError:
        return False
    return True


def definitions() -> dict[str, Any]:
    """The schemas that these pages refer to."""
    _schemas, shared = models_json_schema([(Embeddings, "validation"), (Chat, "validation")], ref_template="#/components/schemas/{model}")
    found: dict[str, Any] = shared["$defs"]
    return found


async def _read(request: Request, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate(await body_of(request))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{where}: {first['msg']}" if first["type"] != "extra_forbidden" else f"{where} is not a setting that counts here."
        raise Stop(400, message) from None


def _chosen(service: Service, name: str, page: str) -> Served:
    """The model that was asked for. Raises Stop where there is none, or it does something else."""
    model = service.models.get(name)
    if model is None:
        raise Stop(404, f"There is no such model; there are: {', '.join(service.models)}.")
    if not getattr(model, PAGES[page].able):
        raise Stop(400, f"{model.name} {PAGES[page].lacks}; it does {model.task.name}. Ask it at /models/{model.name}/predict.")
    return model


async def _whole(pieces: AsyncGenerator[Any, None], head: Mapping[str, Any]) -> dict[str, Any]:
    text, end = "", {}
    async with aclosing(_stopping(pieces)) as read:
        async for piece in read:
            if isinstance(piece, str):
                text += piece
            else:
                end = piece
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": end["finish_reason"], "logprobs": None}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(end)}


async def _events(pieces: AsyncGenerator[Any, None], head: Mapping[str, Any], *, usage: bool) -> AsyncGenerator[bytes, None]:
    """Server-sent events; the first says who speaks and comes with the first piece."""
    delta: dict[str, Any] = {"role": "assistant"}
    async with aclosing(_stopping(pieces)) as read:
        async for piece in read:
            ended = not isinstance(piece, str)
            delta |= {} if ended else {"content": piece}
            choice = {"index": 0, "delta": delta, "finish_reason": piece["finish_reason"] if ended else None, "logprobs": None}
            yield _event({**head, "object": "chat.completion.chunk", "choices": [choice]})
            delta = {}
            if ended and usage:
                yield _event({**head, "object": "chat.completion.chunk", "choices": [], "usage": _usage(piece)})
    yield b"data: [DONE]\n\n"


async def _after(first: bytes, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """A stream whose first event is here. What fails behind it is said as an event, since the status was sent."""
    async with aclosing(events) as rest:
        yield first
        try:
            async for event in rest:
                yield event
        except Stop as stop:
            yield _event(problem("/v1/", stop.status, stop.message))


async def _stopping(pieces: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """The pieces, and what can go wrong with them as HTTP has it."""
    async with aclosing(pieces) as read:
        try:
            async for piece in read:
                yield piece
        except Overloaded as error:
            raise Stop(429, "Too much is waiting already.", after=error.after) from None
        except Refused as error:
            raise Stop(400, str(error)) from None
        except Failed:
            raise Stop(500, "The model failed; the log says why.") from None


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n\n"


def _usage(end: Mapping[str, Any]) -> dict[str, int]:
    read, written = int(end["prompt_tokens"]), int(end["completion_tokens"])
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "weitiao"}


def _replies() -> dict[int | str, dict[str, Any]]:
    error = {"type": "object", "properties": {"error": {"type": "object"}}, "required": ["error"]}
    content = {"application/json": {"schema": error}}
    return {status: {"description": text, "content": content} for status, text in STATUSES.items()}
