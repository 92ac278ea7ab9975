"""The images of a request: multipart files, the bytes of one image, or JSON with Base64.

Everything stays in memory: no upload is spooled to a disk.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from mien.io.text import one_line
from mien.service.problems import Problem
from mien.service.schemas import ReadRequest

_MAX_NAME: Final = 255  # characters
_EXPECTED: Final = (
    "expected multipart/form-data with image files, the bytes of one image (image/* or "
    "application/octet-stream), or application/json"
)


class Upload(NamedTuple):
    """One image of a request.

    Args:
        name: name of its file, without folders; an empty text if it has none.
        content: content of the image file.
    """

    name: str
    content: bytes


async def read_uploads(content_type: str, body: AsyncIterator[bytes], *, most: int) -> list[Upload]:
    """Return the images of a request.

    Args:
        content_type: header of that name.
        body: parts of the body as they arrive.
        most: largest number of images.

    Raises:
        Problem: if the body is of an unknown type, or is not what its type says, or has no image
            or too many.
    """
    raw_type, options = parse_options_header(content_type)
    kind = raw_type.decode("latin-1")
    if kind == "multipart/form-data":
        uploads = await _read_multipart(options.get(b"boundary", b""), body, most)
    elif kind == "application/json":
        uploads = _read_json(await _whole(body), most)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        uploads = [Upload("", await _whole(body))]
    else:
        raise Problem("unknown-media-type", f"Content-Type {one_line(kind[:80])!r}: {_EXPECTED}")
    if not uploads:
        raise Problem("malformed-body", f"the body holds no image; {_EXPECTED}")
    return uploads


def clean_name(name: str) -> str:
    """Return the name of a file without its folders and without what acts on a terminal.

    It is only shown: nothing is ever opened or written by it.
    """
    return one_line(name.replace("\\", "/").rpartition("/")[2])[:_MAX_NAME]


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in body])


def _too_many(most: int) -> Problem:
    return Problem(
        "too-many-images", f"the request has more than {most:,} images; send them in several"
    )


def _read_json(content: bytes, most: int) -> list[Upload]:
    try:
        request = ReadRequest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        if first["type"] == "json_invalid":
            raise Problem("malformed-body", f"not JSON: {first['msg'][:200]}") from None
        raise Problem("invalid-body", f"{where}: {first['msg'][:200]}") from None
    if len(request.images) > most:
        raise _too_many(most)
    uploads = []
    for number, image in enumerate(request.images):
        try:
            decoded = base64.b64decode(image.data, validate=True)
        except (binascii.Error, ValueError):  # ValueError: characters that are not ASCII
            raise Problem("invalid-body", f"images.{number}.data: not Base64") from None
        uploads.append(Upload(clean_name(image.name), decoded))
    return uploads


async def _read_multipart(boundary: bytes, body: AsyncIterator[bytes], most: int) -> list[Upload]:
    if not boundary:
        raise Problem("malformed-body", "multipart/form-data without a boundary")
    form = _Form(most)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for part in body:
            parser.write(part)
        parser.finalize()
    except FormParserError:
        raise Problem("malformed-body", "the parts of the multipart body cannot be told") from None
    if not form.is_complete:
        raise Problem("malformed-body", "the multipart body ends before its last boundary")
    return form.uploads


class _Form:
    """Collects the files of a multipart body.

    Args:
        most: largest number of files.

    Attributes:
        uploads: files that have ended.
        is_complete: whether the last boundary was read.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._field, self._value = b"", b""
        self._disposition = b""
        self._content = bytearray()
        self._name: str | None = None
        self.uploads: list[Upload] = []
        self.is_complete = False

    def callbacks(self) -> Any:
        """Return the functions that the parser calls."""
        names = (
            "part_begin", "part_data", "part_end", "header_field", "header_value", "header_end",
            "headers_finished", "end",
        )  # fmt: skip
        return {f"on_{name}": getattr(self, f"_{name}") for name in names}

    def _part_begin(self) -> None:
        self._disposition, self._content, self._name = b"", bytearray(), None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" not in options:
            raise Problem(
                "malformed-body", "a part of the multipart body is no file: it has no file name"
            )
        if len(self.uploads) == self._most:
            raise _too_many(self._most)
        self._name = clean_name(options[b"filename"].decode("utf-8", "replace"))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _part_end(self) -> None:
        self.uploads.append(Upload(self._name or "", bytes(self._content)))
        self._content = bytearray()

    def _end(self) -> None:
        self.is_complete = True
