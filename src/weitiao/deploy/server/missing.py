"""What a server says at its root, and where it has no such page or not with that method: what there is, in the form of the other errors. It
knows the addresses of the pages and the models' names; no model.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from weitiao.deploy.server.gate import problem
from weitiao.deploy.server.openai import PAGES
from weitiao.deploy.server.served import Served

DOCS = "/docs"


def add_signposts(app: FastAPI, models: Mapping[str, Served]) -> None:
    """Add the root, and answer for every page that there is not. To be called when all pages are there."""

    async def root(request: Request) -> Response:
        """Browsers go to the description of the pages; programs are told where it is."""
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(DOCS.removeprefix("/"), 307)
        return JSONResponse({"docs": DOCS, "openapi": "/openapi.json", "info": "/info", "predict": "/predict"})

    pages = _pages(app)
    app.get("/", include_in_schema=False)(root)
    app.add_exception_handler(HTTPException, _answering(pages, models))


def _answering(pages: Mapping[str, list[str]], models: Mapping[str, Served]) -> Callable[[Request, Any], Response]:
    def answer(request: Request, error: Any) -> Response:
        path, status = request.url.path, error.status_code
        if status == 404:
            message = _nothing_at(path, pages, models)
        elif status == 405:
            methods = " or ".join(pages.get(path) or _allowed(error.headers))
            message = f"This page is asked with {methods}, not with {request.method}. Examples are at {DOCS}."
        else:
            message = str(error.detail)
        return JSONResponse(problem(path, status, message), status, error.headers)

    return answer


def _nothing_at(path: str, pages: Mapping[str, list[str]], models: Mapping[str, Served]) -> str:
    parts = path.split("/")
    if len(parts) == 4 and (parts[1], parts[3]) == ("models", "predict"):
        return f"There is no such model; there are: {', '.join(models)}."
    there = ", ".join(f"{' '.join(methods)} {page}" for page, methods in pages.items() if not page.startswith("/models/"))
    named = ", ".join(models)
    lacking = "There is no such page"
    if path in PAGES:
        tasks = ", ".join(f"{name} does {model.task.name}" for name, model in models.items())
        lacking = f"No model that is served here {PAGES[path].does} ({tasks}), so this page is not there"
    return f"{lacking}; there are: {there}, POST /models/NAME/predict (NAME is one of: {named}). Examples are at {DOCS}."


def _pages(app: FastAPI) -> dict[str, list[str]]:
    """Address -> methods of every page."""
    pages: dict[str, list[str]] = {}
    for route in app.routes:
        methods: Iterable[str] = getattr(route, "methods", None) or ()
        pages.setdefault(str(getattr(route, "path", "")), []).extend(sorted(methods))
    return pages


def _allowed(headers: Mapping[str, str] | None) -> list[str]:
    return [one.strip() for one in (headers or {}).get("Allow", "GET").split(",")]
