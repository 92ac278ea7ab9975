"""Photos from files, bytes, open files, data URIs, PIL images and arrays.

What a file or its content is, its first bytes say: a video under an unknown name is read as one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.errors import SourceError
from mien.images.decode import IMAGE_SUFFIXES
from mien.images.kinds import HEAD_BYTES, is_video
from mien.vision.sources._content import data_content, file_blocks, open_content
from mien.vision.sources._picture import PIXELS, PhotoSource, photo_source
from mien.vision.sources._pixels import (
    check_array,
    from_pil,
    is_pil,
    is_tensor,
    wrong_array,
    wrong_tensor,
)
from mien.vision.sources._specs import existing_file, is_data, is_path, name_of, suffix_of
from mien.vision.sources.base import SOURCES, Kind, Limits, Opener, Source, Stop
from mien.vision.sources.video import open_video

__all__ = ["PHOTO_SUFFIXES", "PhotoOpener", "PhotoSource", "check_array", "wrong_array"]

PHOTO_SUFFIXES: Final = IMAGE_SUFFIXES
_Bytes = bytes | bytearray | memoryview


@SOURCES.register("photo")
class PhotoOpener(Opener):
    """Opens image files, their content, PIL images and arrays, and files of unknown kinds."""

    suffixes = PHOTO_SUFFIXES
    is_fallback = True  # a file whose suffix no other kind knows may still be a photo

    def opens(self, spec: object) -> bool:
        """Return whether a spec holds pixels or the content of a file, or is a path."""
        holds = isinstance(spec, np.ndarray | _Bytes) or _is_file(spec) or is_data(spec)
        return holds or is_pil(spec) or is_tensor(spec) or is_path(spec)

    def kind(self, spec: object) -> Kind:
        """Return ``video`` if the content of a file without a photo's suffix is one."""
        if isinstance(spec, _Bytes):
            head = bytes(spec[:HEAD_BYTES])
        elif is_data(spec):
            return "video" if str(spec)[5:].lower().startswith("video/") else "photos"
        elif is_path(spec) and suffix_of(spec) not in PHOTO_SUFFIXES:
            try:
                head = _head(existing_file(spec)[0], "")
            except SourceError:  # reported when it is opened
                return "photos"
        elif _is_file(spec):
            head = _peek(spec)
        else:
            return "photos"
        return "video" if is_video(head) else "photos"

    def name(self, spec: object) -> str:
        """Return the path; an empty string for pixels."""
        if is_path(spec):
            return name_of(spec)
        return _file_name(spec) if _is_file(spec) else ""

    def open(self, spec: Any, *, limits: Limits, stop: Stop) -> Source:
        """Open a photo; a file is read and decoded when its frame is requested.

        Raises:
            SourceError: if an array is not a picture, or there is no such file.
        """
        if isinstance(spec, np.ndarray):
            image = check_array(spec)
            return PhotoSource("", lambda _: image)
        if isinstance(spec, _Bytes):
            return open_content([bytes(spec)], "", limits=limits, stop=stop)
        if is_data(spec):
            return open_content([data_content(spec, limits)], "", limits=limits, stop=stop)
        if is_pil(spec):
            name = str(getattr(spec, "filename", "") or "")
            return PhotoSource(name, lambda _: from_pil(spec, name or PIXELS, limits))
        if _is_file(spec):
            name = _file_name(spec)
            return open_content(file_blocks(spec, name), name, limits=limits, stop=stop)
        if is_path(spec):
            return _open_path(spec, limits=limits, stop=stop)
        raise wrong_tensor(spec)


def _open_path(spec: Any, *, limits: Limits, stop: Stop) -> Source:
    """Open a file that may be a photo or a video.

    Raises:
        SourceError: if there is no such file, or it is too large for a picture.
    """
    path, size_bytes = existing_file(spec)
    name = name_of(spec)
    if suffix_of(spec) not in PHOTO_SUFFIXES and is_video(_head(path, name)):
        return open_video(path, name, limits=limits, stop=stop)
    if size_bytes > limits.max_bytes:
        raise SourceError(
            f"{name}: a file of {size_bytes >> 20:,} MB, too large for a picture of "
            f"{limits.max_pixels / 1e6:,.1f} million pixels; raise the limit with --max-pixels, "
            "or give a video a suffix such as .mp4"
        )

    def content() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise SourceError(f"{name}: cannot be read ({error.strerror})") from None

    return photo_source(content, name, limits)


def _head(path: Path, name: str) -> bytes:
    """Return the first bytes of a file.

    Raises:
        SourceError: if it cannot be read.
    """
    try:
        with path.open("rb") as handle:
            return handle.read(HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{name}: cannot be read ({error.strerror})") from None


def _is_file(spec: object) -> bool:
    """Return whether a spec is an open file, or an object like one."""
    return callable(getattr(spec, "read", None)) and not isinstance(spec, type) and not is_pil(spec)


def _file_name(file: object) -> str:
    name = getattr(file, "name", "")
    return name if isinstance(name, str) else ""


def _peek(file: Any) -> bytes:
    """Return the first bytes of an open file, and leave its position; nothing if it has none."""
    try:
        if not file.seekable():
            return b""
        at = file.tell()
        head = file.read(HEAD_BYTES)
        file.seek(at)
    except Exception:  # reported when it is opened
        return b""
    return head if isinstance(head, bytes) else b""
