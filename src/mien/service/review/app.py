"""The application of a review: its page, the routes that the page calls, and its errors."""

from __future__ import annotations

import base64
import hmac
import secrets
from importlib.resources import files
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from mien.errors import MienError
from mien.images.crop import encode_png
from mien.io.text import one_line
from mien.service.metrics import Metrics
from mien.service.problems import Problem
from mien.service.review.decisions import Action
from mien.service.review.review import ClassSummary, Review
from mien.service.security import Gate
from mien.service.settings import Settings

_STATIC: Final = files("mien.service") / "review" / "static"
_SHARED: Final = files("mien.service") / "static"  # the colours and buttons of all pages
_MAX_FACES: Final = 64  # of one request
_MAX_PATH: Final = 200  # characters in a reply


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DecisionRequest(_Body):
    """A decision about a face, with the number of the last event about it that the page knows."""

    row: int
    action: Action
    label: int | None = None
    version: int = Field(ge=0)
    tab: str = Field(min_length=1, max_length=64)


class UndoRequest(_Body):
    """The wish to take back the last decision."""

    tab: str = Field(min_length=1, max_length=64)


def create_app(review: Review, *, port: int) -> FastAPI:
    """Return the application, which answers browsers and programs of this machine alone.

    Args:
        review: review that all its pages share.
        port: port that it listens on.
    """
    token = secrets.token_urlsafe(32)
    app = FastAPI(title="mien review", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.review, app.state.token = review, token
    app.add_middleware(
        Gate,
        settings=Settings(host="127.0.0.1", port=port, max_body_mb=1),
        metrics=Metrics(),
    )
    text = (_STATIC / "index.html").read_text(encoding="utf-8")
    page = HTMLResponse(text.replace("{{token}}", token), headers={"Cache-Control": "no-store"})

    async def index() -> HTMLResponse:
        return page

    app.add_api_route("/", index)
    app.include_router(_reading)
    app.include_router(_writing)
    app.mount("/static", StaticFiles(directory=str(_STATIC)))
    app.mount("/shared", StaticFiles(directory=str(_SHARED)))
    app.add_exception_handler(Problem, _tell_problem)
    app.add_exception_handler(MienError, _tell_error)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http_error)
    return app


async def _review(request: Request) -> Review:
    review: Review = request.app.state.review
    return review


async def _needs_token(request: Request, x_mien_token: Annotated[str, Header()] = "") -> None:
    """Refuse a request that no page of this server made.

    A page of another site cannot read the token, and may not send this header without being
    allowed to; its Origin and Host are checked before (`Gate`).
    """
    if not hmac.compare_digest(x_mien_token.encode(), request.app.state.token.encode()):
        raise Problem("no-token", "reload the page of the review: the server was started anew")


# Routes run in the loop's own thread, one at a time: a decision takes the time of its fsync, and
# nothing else is worth a thread.
Shared = Annotated[Review, Depends(_review)]
_reading = APIRouter(prefix="/api")
_writing = APIRouter(prefix="/api", dependencies=[Depends(_needs_token)])


@_reading.get("/review")
async def about(review: Shared) -> dict[str, Any]:
    """Return what holds for the whole review."""
    return review.about()


@_reading.get("/queue")
async def queue(
    review: Shared,
    label: int | None = None,
    split: str | None = None,
    check: str | None = None,
    order: Literal["found", "doubted", "unsure"] = "found",
) -> dict[str, Any]:
    """Return the positions of the faces that pass the filters."""
    return review.queue(label=label, split=split, check=check, order=order)


@_reading.get("/faces")
async def faces(
    review: Shared, row: Annotated[list[int], Query(max_length=_MAX_FACES)]
) -> list[dict[str, Any]]:
    """Return what is known about some faces, with their pictures."""
    return [{**review.face(one), "picture": _data_url(review, one)} for one in row]


@_reading.get("/faces/{row}.png")
async def picture(review: Shared, row: int) -> Response:
    """Return a face as a picture, which browsers do not keep."""
    review.check(row)
    return Response(encode_png(review.evidence.dataset.images[row]), media_type="image/png")


@_reading.get("/changes")
async def changes(review: Shared, since: int = 0) -> dict[str, Any]:
    """Return what was decided after an event, in this tab and in others."""
    return review.changes(since)


@_writing.post("/decisions")
async def decide(review: Shared, body: DecisionRequest) -> dict[str, Any]:
    """Put a decision on the disk, and return the face's new state."""
    review.decide(body.row, body.action, body.label, body.version, body.tab)
    return review.state(body.row)


@_writing.post("/undo")
async def undo(review: Shared, body: UndoRequest) -> dict[str, Any]:
    """Take back the last decision, and return the new state of its face."""
    row = review.decisions.undo(body.tab)
    return {"face": None if row is None else review.state(row)}


@_writing.post("/manifest")
async def manifest(review: Shared) -> dict[str, Any]:
    """Write the manifest, and return the summary."""
    lines = review.write()
    return {"lines": lines, "summary": [_plain(one) for one in review.summary()]}


def _data_url(review: Review, row: int) -> str:
    """Return a face as an address that holds it: ten of them are one request."""
    content = base64.b64encode(encode_png(review.evidence.dataset.images[row])).decode()
    return f"data:image/png;base64,{content}"


def _plain(one: ClassSummary) -> dict[str, Any]:
    return {
        "label": one_line(one.label),
        "kept": one.kept,
        "relabelled": {one_line(name): count for name, count in one.relabelled.items()},
        "dropped": one.dropped,
        "agreement": one.agreement,
    }


def _tell(request: Request, problem: Problem) -> Response:
    return problem.response(request.state.request_id)


async def _tell_problem(request: Request, problem: Any) -> Response:
    return _tell(request, problem)


async def _tell_error(request: Request, error: Exception) -> Response:
    return _tell(request, Problem("not-written", one_line(str(error))))


async def _tell_invalid(request: Request, error: Any) -> Response:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _tell(request, Problem("invalid-body", one_line(f"{where}: {first['msg']}"[:_MAX_PATH])))


async def _tell_http_error(request: Request, error: Any) -> Response:
    """Return the problem document of an error of the framework: no such page, or method."""
    if isinstance(error.__cause__, Problem):  # met while the framework read the body
        return _tell(request, error.__cause__)
    if error.status_code == 400:
        return _tell(request, Problem("malformed-body", "expected JSON"))
    path = one_line(request.url.path[:_MAX_PATH])
    if error.status_code == 405:
        return _tell(request, Problem("no-such-method", f"{path} is not called so"))
    return _tell(request, Problem("not-found", f"{path}: the page of the review is at /"))
