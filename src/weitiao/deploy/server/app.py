"""The pages of a server, as a FastAPI application. It knows what is served and the pool that answers, and no task by name."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import models_json_schema

from weitiao import __version__
from weitiao.config import ServerSettings
from weitiao.deploy.server import openai
from weitiao.deploy.server.gate import Gate, Stop, problem
from weitiao.deploy.server.missing import add_signposts
from weitiao.deploy.server.pool import Pool
from weitiao.deploy.server.schemas import answer_schema, inputs_of, problems, record_model
from weitiao.deploy.server.served import MOST_RECORDS, Served
from weitiao.deploy.server.service import STATUSES, Service, body_of
from weitiao.messages import _

# The page is the same for everybody and loads nothing from anywhere else.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
PROBLEM = {
    "type": "object",
    "properties": {"detail": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}},
    "required": ["detail"],
}


def make_app(models: Mapping[str, Served], settings: ServerSettings, keys: Sequence[str], pool: Pool) -> Gate:
    """The server's pages behind their gate; ``keys`` let in whoever brings one of them."""
    app = FastAPI(title="weitiao", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    service = Service(models, settings, pool)
    app.add_exception_handler(Stop, _stopped)
    app.add_exception_handler(Exception, _broken)
    gate = Gate(app, settings, keys, pool.figures, lambda: pool.able, lambda: pool.wait() or 1.0 if pool.full() else 0.0)

    async def health() -> dict[str, str]:
        """The process is alive."""
        return {"status": "alive"}

    async def ready() -> Response:
        """Whether requests are answered now."""
        if gate.closing or not pool.able:
            return JSONResponse({"status": "stopping" if gate.closing else "loading"}, 503, {"Retry-After": "5"})
        return JSONResponse({"status": "ready"})

    async def info() -> dict[str, Any]:
        """What is served."""
        return {"weitiao": __version__, "models": [_about(model) for model in models.values()]}

    async def metrics() -> Response:
        """Counts and times, as Prometheus reads them."""
        return Response(pool.figures.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def docs() -> Response:
        """These pages, described; nothing is loaded from another host."""
        page = files("weitiao.deploy.server").joinpath("docs.html").read_text(encoding="utf-8")
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})

    async def described() -> Response:
        return JSONResponse(description())

    unready: dict[int | str, dict[str, Any]] = {503: _problem(503)}
    app.get("/health", tags=["server"])(health)
    app.get("/ready", tags=["server"], responses=unready)(ready)
    app.get("/info", tags=["server"])(info)
    app.get("/metrics", tags=["server"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})(metrics)
    app.get("/docs", include_in_schema=False)(docs)
    app.get("/openapi.json", include_in_schema=False)(described)

    records = {name: record_model(model) for name, model in models.items()}
    schemas, shared = models_json_schema([(model, "validation") for model in records.values()], ref_template="#/components/schemas/{model}")
    definitions = shared.get("$defs", {})
    pages = [(next(iter(models)), "/predict"), *((name, f"/models/{name}/predict") for name in models)]
    for name, path in pages:
        page = _predict_page(service, models[name], records[name])
        told: dict[str, Any] = {"operation_id": "predict" if path == "/predict" else f"predict_{name}", "tags": ["predictions"]}
        app.post(path, summary=_summary(models[name]), responses=_replies(), **told)(page)
    openai.add_pages(app, service)
    add_signposts(app, models)

    def description() -> dict[str, Any]:
        """OpenAPI, with the examples that the models have answered."""
        made = get_openapi(title=app.title, version=app.version, routes=app.routes, description=_told(models))
        components = made.setdefault("components", {})
        components["schemas"] = {**components.get("schemas", {}), **definitions, **openai.definitions()}
        if keys:
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            made["security"] = [{"key": []}]
        for model in models.values():
            for path, body in openai.examples(model).items():
                content = made["paths"][path]["post"]["requestBody"]["content"]["application/json"]
                content.setdefault("examples", {})[model.name] = {"value": body}
        for name, path in pages:
            post, facts = made["paths"][path]["post"], models[name].facts
            post |= _body(schemas[records[name], "validation"], facts.get("example"))
            one = answer_schema(facts.get("answer"))
            post["responses"]["200"]["content"] = {"application/json": {"schema": {"oneOf": [one, {"type": "array", "items": one}]}}}
        return made

    return gate


def _predict_page(service: Service, model: Served, kind: type[BaseModel]) -> Callable[[Request], Awaitable[Response]]:
    one, several = TypeAdapter(kind), TypeAdapter(list[kind])  # type: ignore[valid-type]

    async def predict(request: Request) -> Response:
        """Answer one record, or a list of them, in order."""
        value = await body_of(request)
        many = isinstance(value, list)
        if many and not 0 < len(value) <= MOST_RECORDS:
            return _refused([{"loc": ["body"], "msg": f"A list holds 1 to {MOST_RECORDS} records.", "type": "list_length"}])
        try:
            checked = several.validate_python(value) if many else [one.validate_python(value)]
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            return _refused(problems(found, ["body"]))
        answers = await service.answers(request, model, [record.model_dump() for record in checked])
        wrong = [
            {"loc": ["body", *([at] if many else []), *([answer.field] if answer.field else [])], "msg": answer.text, "type": "refused"}
            for at, answer in enumerate(answers)
            if answer.state == "refused"
        ]
        if wrong:
            return _refused(wrong)
        text = f"[{','.join(answer.text for answer in answers)}]" if many else answers[0].text
        return Response(text, media_type="application/json")

    return predict


async def _stopped(request: Request, stop: Any) -> Response:
    """What is said of a request that goes no further."""
    headers = {"Retry-After": str(stop.after)} if stop.after else {}
    return JSONResponse(problem(request.url.path, stop.status, stop.message), stop.status, headers)


async def _broken(request: Request, error: Exception) -> Response:
    """What is said of a bug; the gate writes it down."""
    return JSONResponse(problem(request.url.path, 500, f"A bug in weitiao; the log has more under {request.scope['request_id']}."), 500)


def _refused(details: Sequence[Mapping[str, Any]]) -> Response:
    return Response(json.dumps({"detail": details}, ensure_ascii=False), 422, media_type="application/json")


def _about(model: Served) -> dict[str, Any]:
    fields = {"inputs": inputs_of(model.task, model.spec), "outputs": model.task.outputs}
    shown = {side: [{"name": one.name, "type": one.type, "title": _(one.title)} for one in some] for side, some in fields.items()}
    about = {"name": model.name, "task": model.task.name, "summary": _(model.task.summary), **shown, **model.about}
    known = {name: value for name, value in model.facts.items() if value is not None}
    asked = openai.examples(model)
    return {**about, **known, **({"openai": asked} if asked else {})}


def _summary(model: Served) -> str:
    return f"{model.name}: {_(model.task.summary)}"


def _told(models: Mapping[str, Served]) -> str:
    first, *others = models
    pages = ", ".join(f"/models/{name}/predict" for name in (first, *others))
    return f"A record is a JSON object; several are a list. /predict asks {first}; by name: {pages}."


def _body(schema: Mapping[str, Any], example: Mapping[str, Any] | None) -> dict[str, Any]:
    several = {"type": "array", "items": schema, "minItems": 1, "maxItems": MOST_RECORDS}
    content: dict[str, Any] = {"schema": {"oneOf": [schema, several]}}
    if example is not None:
        content["examples"] = {"one": {"value": example}, "several": {"value": [example, example]}}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _replies() -> dict[int | str, dict[str, Any]]:
    return {status: _problem(status) for status in STATUSES if status not in (400, 404)}


def _problem(status: int) -> dict[str, Any]:
    return {"description": STATUSES[status], "content": {"application/json": {"schema": PROBLEM}}}
