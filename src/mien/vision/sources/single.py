"""One thing that faces are read from, of whatever kind, as a Source."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.errors import MienError, SourceError
from mien.io.files import expand_user
from mien.vision.reading import Kind, Source
from mien.vision.sources.http import open_address, without_password
from mien.vision.sources.live import open_camera
from mien.vision.sources.photo import (
    PHOTO_SUFFIXES,
    Limits,
    PhotoSource,
    check_array,
    decode_photo,
    from_pil,
    read_photo,
)
from mien.vision.sources.video import VIDEO_SUFFIXES, open_video

SUPPORTED: Final = (
    "expected a photo, a folder, a pattern such as 'photos/**/*.jpg', a video, a camera's number, "
    "an address (http://, https://, rtsp://), a numpy array, a PIL image, an image file's bytes, "
    "or a list of these"
)
_LAST_CAMERA: Final = 99  # OpenCV takes hundreds for its backends


def open_one(source: object, limits: Limits) -> Source:
    """Open a single photo, video, camera, address, array, PIL image or an image file's bytes.

    Raises:
        SourceError: if it is nothing of that, or cannot be opened.
    """
    if isinstance(source, np.ndarray):
        image = check_array(source)
        return PhotoSource("", lambda _: image)
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
        return PhotoSource("", lambda wrong: decode_photo(content, "the picture", limits, wrong))
    if _is_pil(source):
        name = str(getattr(source, "filename", "") or "")
        return PhotoSource(name, lambda _: from_pil(source, name or "the picture", limits))
    if is_number(source):
        number = int(str(source))
        if not 0 <= number <= _LAST_CAMERA:
            raise SourceError(f"camera {number}: no such camera, expected 0 to {_LAST_CAMERA}")
        return open_camera(number)
    if not is_path(source):
        raise SourceError(f"a source of type {type(source).__name__}, {SUPPORTED}")
    if is_address(source):
        return open_address(str(source), limits)
    return _open_file(source, limits)


def _open_file(source: object, limits: Limits) -> Source:
    path, name = as_path(source), str(source)
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{name}: no such file, expected a photo, a video or a folder") from None
    except (OSError, ValueError) as error:
        short = name if len(name) < 200 else f"{name[:80]}…{name[-80:]}"
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{short}: cannot be read ({reason})") from None
    if not stat.S_ISREG(about.st_mode):
        raise SourceError(f"{name}: not a file, expected a photo or a video")
    if about.st_size == 0:
        raise SourceError(f"{name}: the file is empty, expected a photo or a video")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return open_video(path, name, max_pixels=limits.max_pixels)
    if about.st_size > limits.max_bytes:
        raise SourceError(
            f"{name}: a file of {about.st_size >> 20:,} MB, too large for a picture of "
            f"{limits.max_pixels / 1e6:,.1f} million pixels; raise the limit by --max-pixels, "
            f"or name a video with one of {' '.join(sorted(VIDEO_SUFFIXES))}"
        )
    return PhotoSource(name, lambda wrong: read_photo(path, name, limits, wrong))


def is_path(source: object) -> bool:
    """Return whether it may be a path, or a number or an address as text."""
    return isinstance(source, str | os.PathLike)


def is_number(source: object) -> bool:
    """Return whether it is a camera's number, also as text."""
    if isinstance(source, str):
        return source.isascii() and source.isdecimal() and len(source) < 10
    return isinstance(source, int | np.integer) and not isinstance(source, bool)


def is_address(source: object) -> bool:
    """Return whether it is an address, of whatever scheme."""
    return isinstance(source, str) and re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", source) is not None


def _is_pil(source: object) -> bool:
    return isinstance(getattr(source, "mode", None), str) and hasattr(source, "convert")


def kind_by_name(source: object) -> Kind:
    """Return what it is taken for without opening it: an address, unless a photo's, for live."""
    if is_number(source):
        return "live"
    if not is_path(source):
        return "photos"
    if is_address(source):
        path = re.split("[?#]", str(source))[0]
        return "photos" if Path(path).suffix.lower() in PHOTO_SUFFIXES else "live"
    return "video" if Path(str(source)).suffix.lower() in VIDEO_SUFFIXES else "photos"


def shown_name(source: object) -> str:
    """Return a path, a camera's number or an address without its login; for pixels nothing."""
    if is_address(source):
        return without_password(str(source))
    return str(source) if is_path(source) or is_number(source) else ""


def as_path(source: Any) -> Path:
    """Return what `is_path` took as a Path, with ``~`` written out."""
    try:
        return expand_user(os.fspath(source))
    except MienError as error:
        raise SourceError(str(error)) from None
