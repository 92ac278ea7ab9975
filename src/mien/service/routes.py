"""The routes of the API."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response, WebSocket
from fastapi.security import HTTPBearer

from mien.service.engine import Picture
from mien.service.examples import request_body
from mien.service.metrics import CONTENT_TYPE
from mien.service.problems import MEDIA_TYPE, Problem
from mien.service.schemas import Face, ImageOut, ModelReply, ProblemReply, ReadReply, Status
from mien.service.service import Service
from mien.service.stream import Stream
from mien.service.uploads import Upload, read_uploads

STREAM_PROTOCOL: Final = "mien.stream.1"

_READ_PROBLEMS: Final = (400, 401, 403, 408, 413, 415, 421, 422, 500, 503)


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of replies with a problem document."""
    schema = {"$ref": f"#/components/schemas/{ProblemReply.__name__}"}
    return {
        status: {"description": "A problem document", "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


# The scheme is for the document; the key is compared by the service.
_scheme = HTTPBearer(
    auto_error=False, scheme_name="API key", description="Authorization: Bearer KEY"
)


async def _require_key(request: Request, _: Annotated[object, Depends(_scheme)]) -> None:
    _service(request).key.check(request.headers)


open_router = APIRouter()
router = APIRouter(dependencies=[Depends(_require_key)])


@router.post(
    "/v1/read",
    summary="Find the faces in images and read them",
    response_model=ReadReply,
    responses=_problems(*_READ_PROBLEMS),
    openapi_extra={"requestBody": request_body(crops=False)},
    tags=["read"],
)
async def read(request: Request) -> Response:
    """Find the faces in each image, and return the probability of each expression.

    Send image files as multipart/form-data, the bytes of one image, or JSON with Base64. If one
    image cannot be decoded, none is read, and the problem document names it.
    """
    service = _service(request)
    return await _read(request, service.engine.read, service.settings.max_images)


@router.post(
    "/v1/read/crops",
    summary="Read face crops",
    response_model=ReadReply,
    responses=_problems(*_READ_PROBLEMS),
    openapi_extra={"requestBody": request_body(crops=True)},
    tags=["read"],
)
async def read_crops(request: Request) -> Response:
    """Read each image as one face, without a face detector. The body is that of `/v1/read`."""
    service = _service(request)
    return await _read(request, service.engine.read_crops, service.settings.max_crops)


async def _read(request: Request, read_all: Any, most: int) -> Response:
    """Answer a reading request.

    Args:
        request: the request.
        read_all: method of the engine.
        most: largest number of images.
    """
    service = _service(request)
    stated = request.headers.get("content-length", "")
    largest = service.settings.max_body_mb << 20
    size = min(int(stated), largest) if stated.isdecimal() else largest
    with service.admission.admit(size), service.metrics.in_progress.track_inprogress():
        content_type = request.headers.get("content-type", "")
        uploads = await read_uploads(content_type, request.stream(), most=most)
        pictures = await read_all(uploads)
        reply = ReadReply.model_construct(
            model=service.engine.bundle.metadata.name,
            results=[_image(*pair) for pair in zip(uploads, pictures, strict=True)],
        )
        request.state.images = len(pictures)
        request.state.faces = sum(len(picture.readings) for picture in pictures)
        return Response(reply.model_dump_json(), media_type="application/json")


def _image(upload: Upload, picture: Picture) -> ImageOut:
    width, height = picture.size
    return ImageOut.model_construct(
        name=upload.name,
        width=width,
        height=height,
        faces_found=picture.found,
        faces=[Face.of(reading) for reading in picture.readings],
    )


@router.get(
    "/v1/model",
    summary="The model card",
    responses=_problems(401, 403, 421, 500),
    tags=["model"],
)
async def model(request: Request) -> ModelReply:
    """Return what the model reads, how well and by which protocol, and this service's limits."""
    return _service(request).card()


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **_problems(401, 403, 421, 500)},
    tags=["operation"],
)
async def metrics(request: Request) -> Response:
    """Return the figures of the service in Prometheus's text format."""
    return Response(_service(request).metrics.text(), headers={"Content-Type": CONTENT_TYPE})


@open_router.get("/healthz", summary="Is the process alive?", tags=["operation"])
async def healthz() -> Status:
    """Answer as long as the process does; it needs no key."""
    return Status(status="alive")


@open_router.get(
    "/readyz",
    summary="Are requests answered?",
    responses=_problems(503),
    tags=["operation"],
)
async def readyz(request: Request) -> Status:
    """Answer 200 once the model is loaded, and 503 if it fails; it needs no key."""
    if not _service(request).engine.is_ready:
        raise Problem("busy", "the model does not answer")
    return Status(status="ready")


@open_router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Read frames: image files as binary messages in, JSON out. The newest frame wins."""
    service: Service = socket.app.state.service
    protocols: list[str] = socket.scope.get("subprotocols", [])
    try:
        service.key.check(socket.headers, protocols)
        if service.streams >= service.settings.max_streams:
            raise Problem("busy", "as many streams are open as may be; try again later")
    except Problem as problem:
        await socket.send_denial_response(problem.response())
        return
    service.streams += 1
    try:
        # The key, which is a subprotocol as well, is never sent back.
        await socket.accept(STREAM_PROTOCOL if STREAM_PROTOCOL in protocols else None)
        with service.metrics.streams.track_inprogress():
            await Stream(socket, service.engine, service.settings, service.metrics).run()
    finally:
        service.streams -= 1
