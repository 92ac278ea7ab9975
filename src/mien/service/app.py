"""The application: routes, pages and handlers of errors around one service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

from mien.io.text import one_line
from mien.service.problems import Problem
from mien.service.routes import open_router, router
from mien.service.schemas import ProblemReply, ReadRequest, StreamReply
from mien.service.security import Gate
from mien.service.service import Service
from mien.service.settings import Settings
from mien.version import VERSION

_STATIC: Final = str(files("mien.service") / "static")
_PAGES: Final = {"/": "index.html", "/docs": "docs.html"}
_DESCRIPTION: Final = (
    "Reads facial expressions, which are not feelings. In the European Union, inferring emotions "
    "of people at work or in education is prohibited. No image is stored or logged. Frames are "
    "read over the WebSocket /v1/stream."
)
_MAX_PATH: Final = 200  # characters in a reply


class _Static(StaticFiles):
    """Files of the pages, which browsers ask for again after an update."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def create_app(settings: Settings) -> FastAPI:
    """Return the application of one worker; the model is loaded already.

    Args:
        settings: settings of the service.

    Raises:
        MienError: if there is no such Bundle or detector, or the key cannot be read or used.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="mien",
        version=VERSION,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.openapi = _with_schemas(app.openapi)  # type: ignore[method-assign]
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(Gate, settings=settings, metrics=service.metrics)  # the outermost one
    app.include_router(router)
    app.include_router(open_router)
    for path, name in _PAGES.items():
        app.add_api_route(path, _page(name), include_in_schema=False)
    app.mount("/static", _Static(directory=_STATIC))
    app.add_exception_handler(Problem, _tell_problem)
    app.add_exception_handler(HTTPException, _tell_http_error)
    return app


def from_environment() -> FastAPI:
    """Return the application with the settings of ``MIEN_SERVE_`` variables, for several workers.

    Raises:
        MienError: if a setting cannot be used.
    """
    return create_app(Settings.from_environment())


def _with_schemas(generate: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return a function that adds the schemas of bodies that routes read by themselves."""

    def document() -> dict[str, Any]:
        generated = generate()
        models = [(model, "validation") for model in (ReadRequest, ProblemReply, StreamReply)]
        template = "#/components/schemas/{model}"
        _, more = models_json_schema(models, ref_template=template)  # type: ignore[arg-type]
        for name, schema in more["$defs"].items():
            generated["components"]["schemas"].setdefault(name, schema)
        return generated

    return document


def _page(name: str) -> Any:
    async def page() -> FileResponse:
        return FileResponse(f"{_STATIC}/{name}", headers={"Cache-Control": "no-cache"})

    return page


async def _tell_problem(request: Request, problem: Any) -> Response:
    response: Response = problem.response(request.state.request_id)
    return response


async def _tell_http_error(request: Request, error: Any) -> Response:
    """Return the problem document of an error of the framework: no such page, or method."""
    if error.status_code == 405:
        problem = Problem("no-such-method", "see /docs for the methods of this page")
    else:
        path = one_line(request.url.path[:_MAX_PATH])
        problem = Problem("not-found", f"{path}: see /docs for the pages that there are")
    response = problem.response(request.state.request_id)
    response.headers.update(error.headers or {})
    return response
