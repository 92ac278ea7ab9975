"""The application: routes, pages and handlers of errors around one service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

from mien.io.text import one_line
from mien.service.headers import PRIVATE_HEADERS
from mien.service.problems import Problem
from mien.service.routes import open_router, router
from mien.service.schemas import ProblemReply, ReadRequest, StreamReply
from mien.service.security import Gate
from mien.service.service import Service
from mien.service.settings import Settings
from mien.service.web import (
    STATIC,
    BrowserModels,
    has_gpu_runtime,
    has_runtime,
    page,
    smallest_first,
)
from mien.version import VERSION
from mien.vision.detectors.base import AUTO
from mien.vision.detectors.yunet import YuNetDetector, find_yunet

_NO_CACHE: Final = {"Cache-Control": "no-cache"}  # browsers ask again, after an update
_DESCRIPTION: Final = (
    "Reads facial expressions, which are not feelings. In the European Union, inferring emotions "
    "of people at work or in education is prohibited. No image is stored or logged. Frames are "
    "read over the WebSocket /v1/stream."
)
_MAX_PATH: Final = 200  # characters in a reply


class _Static(StaticFiles):
    """Files of the pages.

    Args:
        headers: headers of each reply.
    """

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(directory=STATIC)
        self._headers = headers

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers.update(self._headers)
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
    _add_pages(app, settings)
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


def _add_pages(app: FastAPI, settings: Settings) -> None:
    """Add the pages and their files; the files of the private mode only if it can run."""
    headers = _NO_CACHE | (PRIVATE_HEADERS if has_runtime() else {})
    home = page(modes=["server", "private"] if has_runtime() else ["server"])

    async def show_home() -> HTMLResponse:
        return HTMLResponse(home, headers=headers)

    async def show_docs() -> FileResponse:
        return FileResponse(STATIC / "docs.html", headers=_NO_CACHE)

    app.add_api_route("/", show_home, include_in_schema=False)
    app.add_api_route("/docs", show_docs, include_in_schema=False)
    app.mount("/static", _Static(headers))
    if has_runtime():
        _add_models(app, settings)


def _add_models(app: FastAPI, settings: Settings) -> None:
    """Add the shipped Bundles, which need no key, and YuNet if the service may use it."""
    has_yunet = settings.detector in (AUTO, YuNetDetector.name)
    yunet = find_yunet(settings.detector_model) if has_yunet else None
    models = BrowserModels(smallest_first(), yunet=yunet, gpu=has_gpu_runtime())

    def show_model(name: str) -> Response:
        content = models.files.get(name)
        if content is None:
            raise HTTPException(404)
        kind = "application/json" if name.endswith(".json") else "application/octet-stream"
        return Response(content, media_type=kind, headers=_NO_CACHE)

    app.add_api_route("/models/{name}", show_model, include_in_schema=False)


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
