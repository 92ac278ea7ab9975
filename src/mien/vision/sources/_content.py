"""Open a file's content, wherever it comes from, as what its first bytes say that it is."""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from mien.errors import SourceError, first_line
from mien.images.kinds import HEAD_BYTES, is_video
from mien.io.limits import VIDEO_MB
from mien.vision.sources._picture import PIXELS, photo_source
from mien.vision.sources.base import Frame, Limits, Source, Stop
from mien.vision.sources.video import open_video

_BLOCK_BYTES: Final = 1 << 20


def open_content(
    blocks: Iterable[bytes], name: str, *, limits: Limits, stop: Stop, is_known_video: bool = False
) -> Source:
    """Open the content of an image or a video file; a video is stored in a temporary file.

    Args:
        blocks: content, block by block; read once.
        name: name of the content in frames and errors; an empty string if it has none.
        limits: limits on its size.
        stop: condition that ends reading and the iteration.
        is_known_video: whether it is a video of a format that its first bytes do not tell.

    Raises:
        SourceError: if the content is too large, cannot be stored, or is not a readable video.
    """
    rest = iter(blocks)
    head = b""
    for block in rest:
        head += block
        if len(head) >= HEAD_BYTES:
            break
    whole = chain([head], rest)
    if is_known_video or is_video(head):
        return _open_video(whole, name, limits=limits, stop=stop)
    content = _join(whole, name or PIXELS, limits)
    return photo_source(lambda: content, name, limits)


def file_blocks(file: Any, name: str) -> Iterator[bytes]:
    """Yield the content of an open file from its current position, block by block.

    Raises:
        SourceError: if the file was opened as text, or cannot be read.
    """
    while True:
        try:
            block = file.read(_BLOCK_BYTES)
        except Exception as error:  # whatever the object raises
            raise SourceError(
                f"{name or 'the open file'}: cannot be read ({first_line(error)})"
            ) from None
        if not isinstance(block, bytes | bytearray | memoryview):
            raise SourceError(
                f"{name or 'the open file'}: read() returns {type(block).__name__} instead of "
                "bytes; open it in binary mode, open(path, 'rb')"
            )
        if not block:
            return
        yield bytes(block)


def data_content(uri: str, limits: Limits) -> bytes:
    """Return the content in a data URI (RFC 2397).

    Raises:
        SourceError: if it is malformed or too large.
    """
    head, comma, data = uri.partition(",")
    if not comma:
        raise SourceError(f"{uri[:40]}: a data URI without a comma, expected data:TYPE;base64,DATA")
    is_video_type = head[5:].strip().lower().startswith("video/")
    most = VIDEO_MB.value << 20 if is_video_type else limits.max_bytes
    if len(data) * 3 // 4 > most:
        raise SourceError(
            f"{head[:40]}: {VIDEO_MB.exceeded() if is_video_type else _too_large(most, limits)}"
        )
    content = unquote_to_bytes(data)
    if not head.lower().endswith(";base64"):
        return content
    try:
        text = b"".join(content.split()).replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise SourceError(f"{head}: a data URI whose base64 is damaged ({error})") from None


def _join(blocks: Iterable[bytes], name: str, limits: Limits) -> bytes:
    """Return the content of an image file.

    Raises:
        SourceError: if it is larger than a picture can be.
    """
    content = bytearray()
    for block in blocks:
        content += block
        if len(content) > limits.max_bytes:
            raise SourceError(f"{name}: {_too_large(limits.max_bytes, limits)}")
    return bytes(content)


def _too_large(most: int, limits: Limits) -> str:
    return (
        f"more than {most >> 20:,} MB, too large for a picture of {limits.max_pixels / 1e6:,.1f} "
        "million pixels; raise the limit with --max-pixels"
    )


def _open_video(blocks: Iterable[bytes], name: str, *, limits: Limits, stop: Stop) -> Source:
    """Store a video in a temporary file, which is removed when the source is no longer in use."""
    shown = name or "the video"
    path = _temporary_file(shown)
    remove = partial(_remove, path)
    try:
        is_whole = _store(blocks, path, shown, stop=stop)
    except BaseException:
        remove()
        raise
    if not is_whole:
        remove()
        return _Stopped(name, "video")
    return open_video(path, name, limits=limits, stop=stop, on_close=remove)


def _temporary_file(name: str) -> Path:
    try:
        number, path = tempfile.mkstemp(prefix="mien-")
    except OSError as error:
        raise _cannot_store(name, error) from None
    os.close(number)
    return Path(path)


def _remove(path: Path) -> None:
    with suppress(PermissionError):  # Windows: something still has it open
        path.unlink(missing_ok=True)


def _store(blocks: Iterable[bytes], path: Path, name: str, *, stop: Stop) -> bool:
    """Write a video to a file, and return whether it was written to its end.

    Raises:
        SourceError: if it is too large, or the disk is full.
    """
    count, most = 0, VIDEO_MB.value << 20
    try:
        with path.open("wb") as handle:
            for block in blocks:  # which raise no OSError of their own
                if stop():
                    return False
                count += len(block)
                if count > most:
                    raise SourceError(
                        f"{name}: a video of {VIDEO_MB.exceeded()}, or save the video to a file "
                        "first"
                    )
                handle.write(block)
    except OSError as error:
        raise _cannot_store(name, error) from None
    return True


def _cannot_store(name: str, error: OSError) -> SourceError:
    return SourceError(
        f"{name}: a video that cannot be stored in {tempfile.gettempdir()} "
        f"({error.strerror or error}); set TMPDIR to a folder with more space"
    )


class _Stopped(Source):
    """A video whose download was stopped: it has no frames."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield nothing."""
        return iter(())

    def close(self) -> None:
        """Do nothing: no file is open."""
