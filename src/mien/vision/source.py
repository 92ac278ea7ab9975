"""Everything that faces are read from, as one kind of thing: a Source, iterated for Frames."""

from __future__ import annotations

import glob
import http.client
import os
import re
import stat
import string
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import numpy as np

from mien.data.pixels import IMAGE_SUFFIXES, Image
from mien.errors import MienError, SourceError
from mien.files import expand_user
from mien.vision.photo import (
    MAX_PIXELS,
    Limits,
    check_array,
    decode_photo,
    from_pil,
    read_photo,
    wrong_array,
)
from mien.vision.reading import Frame
from mien.vision.video import Source, open_camera, open_stream, open_video

__all__ = [
    "MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Source",
    "open_picture",
    "open_source",
]

PHOTO_SUFFIXES: Final = IMAGE_SUFFIXES | {".gif"}
VIDEO_SUFFIXES: Final = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg",
     ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)  # fmt: skip

_SUPPORTED: Final = (
    "expected a photo, a folder, a pattern such as 'photos/**/*.jpg', a video, a camera's number, "
    "an address (http://, https://, rtsp://), a numpy array, a PIL image, an image file's bytes, "
    "or a list of these"
)
_SCHEMES: Final = ("http", "https", "rtsp", "rtsps")
_CHUNK_BYTES: Final = 1 << 16
_LAST_CAMERA: Final = 99  # OpenCV takes hundreds for its backends


def open_source(
    source: object, *, max_pixels: int = MAX_PIXELS, timeout_s: float = 5.0, retries: int = 5
) -> Source:
    """Open whatever faces can be read from.

    Args:
        source: the path of a photo, a video, or a folder, whose photos and videos are taken by
            name without those of folders in it; a pattern (``**`` for folders at any depth); the
            number of a camera, also as text; an http, https or rtsp address; a picture as array,
            PIL image or the bytes of an image file; or a list of any of these.
        max_pixels: of one picture; larger ones are refused before they are decoded.
        timeout_s: how long an address may be silent.
        retries: how often in a row a stream that broke off is opened again, after pauses of 0.5 s,
            1 s, 2 s and so on.

    Returns:
        What to iterate over. Of several photos or videos a bad one is left out and noted in
        ``failures``; of a single one it is an error.

    Raises:
        SourceError: if there is nothing there, or not what can be read.

    Shape: an array is uint8 (height, width), (height, width, 3), blue-green-red, or (height,
    width, 4), blue-green-red-alpha, whose alpha is left out.
    """
    limits = Limits(max_pixels, timeout_s, retries)
    if isinstance(source, list | tuple) and len(source) == 1:
        return open_source(source[0], max_pixels=max_pixels, timeout_s=timeout_s, retries=retries)
    members = _members(source)
    if members is not None:
        name = "" if isinstance(source, list | tuple) else str(source)
        return _Several(members, name, limits)
    return _open_one(source, limits)


def open_picture(
    source: object, *, max_pixels: int = MAX_PIXELS, timeout_s: float = 5.0
) -> tuple[Image, str]:
    """Return a single picture's pixels and its name, an empty string for pixels.

    Args:
        source: the path or http address of an image file, its bytes, a PIL image or an array.
        max_pixels: larger ones are refused before they are decoded.
        timeout_s: how long an address may be silent.

    Raises:
        SourceError: if it is missing, no image, or an array that is not uint8 gray or colour.
    """
    if isinstance(source, np.ndarray) and source.ndim == 3 and source.shape[2] == 4:
        raise wrong_array(source)
    if _is_path(source) and _is_folder(path := _as_path(source)):
        raise SourceError(f"{path}: a folder, expected an image file")
    with _open_one(source, Limits(max_pixels, timeout_s)) as opened:
        if opened.kind != "photos":
            raise SourceError(f"{opened.name}: a {opened.kind} source, expected a photo")
        frame = next(iter(opened))
    return frame.image, frame.source


class _Photo(Source):
    """One picture. ``load`` gives its pixels, and appends to the list what is wrong with them."""

    def __init__(self, name: str, load: Callable[[list[SourceError]], Image]) -> None:
        super().__init__(name, "photos", total=1)
        self._load = load

    def __iter__(self) -> Iterator[Frame]:
        self.failures.clear()
        yield Frame(self._load(self.failures), self.name)

    def close(self) -> None:
        """Do nothing: no file stays open."""


class _Several(Source):
    """Several sources, each opened when its turn comes; a SourceError among them is said then."""

    def __init__(self, members: list[object], name: str, limits: Limits) -> None:
        photos = all(_is_photo(member) for member in members)
        super().__init__(
            name, "photos" if photos else "video", total=len(members) if photos else None
        )
        self._members = members
        self._limits = limits
        self._closed = False
        self._current: Source | None = None

    def __iter__(self) -> Iterator[Frame]:
        self.failures.clear()
        for number, member in enumerate(self._members, 1):
            if self._closed:
                return
            try:
                if isinstance(member, SourceError):
                    raise member
                self._current = _open_one(member, self._limits)
                with self._current as current:
                    if self._closed:  # while it was opened
                        return
                    try:
                        yield from current
                    finally:
                        self.failures += current.failures
                        self.dropped += current.dropped
            except SourceError as error:
                nameless = not _is_path(member) and not isinstance(member, SourceError)
                where = f"number {number:,}: " if nameless else ""
                self.failures.append(SourceError(f"{where}{error}"))

    def close(self) -> None:
        self._closed = True
        if self._current is not None:
            self._current.close()


def _members(source: object) -> list[object] | None:
    """Return what a list, a folder or a pattern holds; None for a single source."""
    if isinstance(source, list | tuple):
        if not source:
            raise SourceError(f"an empty list, {_SUPPORTED}")
        found: list[object] = []
        for item in source:
            try:
                found += _members(item) or [item]
            except SourceError as error:  # said in its turn: the others are read
                found.append(error)
        return found
    if not _is_path(source) or _is_address(source) or _is_number(source):
        return None
    path = _as_path(source)
    if _is_folder(path):
        try:
            inside = list(path.iterdir())
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror})") from None
        return _media(path, inside, "a folder without a")
    if glob.has_magic(str(path)) and not _exists(path):
        # Unlike Path.glob, this leaves hidden files and folders out.
        paths = [Path(one) for one in glob.iglob(str(path), recursive=True)]  # noqa: PTH207
        return _media(path, paths, "a pattern that matches no")
    return None


def _media(path: Path, candidates: list[Path], without: str) -> list[object]:
    known = PHOTO_SUFFIXES | VIDEO_SUFFIXES
    found: list[object] = [
        one
        for one in sorted(candidates)
        if one.suffix.lower() in known and not one.name.startswith(".") and one.is_file()
    ]
    if not found:
        raise SourceError(
            f"{path}: {without} photo or video, expected files such as .jpg, .png, .webp or .mp4 "
            "(for folders in folders write 'FOLDER/**/*', with the quotes)"
        )
    return found


def _open_one(source: object, limits: Limits) -> Source:
    if isinstance(source, np.ndarray):
        image = check_array(source)
        return _Photo("", lambda _: image)
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
        return _Photo("", lambda wrong: decode_photo(content, "the picture", limits, wrong))
    if _is_pil(source):
        name = str(getattr(source, "filename", "") or "")
        return _Photo(name, lambda _: from_pil(source, name or "the picture", limits))
    if _is_number(source):
        number = int(str(source))
        if not 0 <= number <= _LAST_CAMERA:
            raise SourceError(f"camera {number}: no such camera, expected 0 to {_LAST_CAMERA}")
        return open_camera(number)
    if not _is_path(source):
        raise SourceError(f"a source of type {type(source).__name__}, {_SUPPORTED}")
    if _is_address(source):
        return _open_address(str(source), limits)
    return _open_file(source, limits)


def _open_file(source: object, limits: Limits) -> Source:
    path, name = _as_path(source), str(source)
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
    return _Photo(name, lambda wrong: read_photo(path, name, limits, wrong))


def _open_address(address: str, limits: Limits) -> Source:
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise SourceError(f"{address.rpartition('@')[2]}: no address ({error})") from None
    # A camera's address often holds its password, which is nothing for a screen or a CSV file.
    name = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if parts.scheme not in _SCHEMES:
        raise SourceError(
            f"{name}: {parts.scheme}:// is not read, expected http://, https:// or rtsp://; name a "
            "file by its path"
        )
    if parts.scheme in ("http", "https"):
        try:
            content = _fetch(address, limits)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SourceError(f"{name}: {_reason(error, limits.timeout_s)}") from None
        if content is not None:
            return _Photo(name, lambda wrong: decode_photo(content, name, limits, wrong))
    return open_stream(
        address,
        name,
        max_pixels=limits.max_pixels,
        timeout_s=limits.timeout_s,
        retries=limits.retries,
    )


def _fetch(address: str, limits: Limits) -> bytes | None:
    """Return the picture at an address; None where the server says that it is no picture.

    Raises:
        OSError: as urllib does, and for an answer that is too long, breaks off or is a page.
        http.client.HTTPException: for what is no answer of a web server.
        ValueError: if the address is none.
    """
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    plain = quote(urlunsplit(parts._replace(netloc=host)), safe=string.punctuation)
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    passwords.add_password(None, plain, user, password)
    handlers = [urllib.request.HTTPBasicAuthHandler, urllib.request.HTTPDigestAuthHandler]
    opener = urllib.request.build_opener(
        *([handler(passwords) for handler in handlers] if user else [])
    )
    deadline = time.monotonic() + 6 * limits.timeout_s
    with opener.open(plain, timeout=limits.timeout_s) as answer:
        kind = answer.headers.get_content_type()
        if kind == "text/html":
            raise OSError("a web page, expected a picture, a video or a stream")
        if not kind.startswith("image/"):
            suffix = Path(parts.path).suffix.lower()
            if kind.startswith(("multipart/", "video/")) or suffix not in PHOTO_SUFFIXES:
                return None
        content = bytearray()
        while block := answer.read1(_CHUNK_BYTES):  # read() would wait for whole blocks
            content += block
            if len(content) > limits.max_bytes:
                raise OSError(f"it has more than {limits.max_bytes >> 20} MB; see --max-pixels")
            if time.monotonic() > deadline:
                raise TimeoutError
    return bytes(content)


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"the server says {error.code} {error.reason}; check the address and its password"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"does not answer within {timeout_s:g} s; check the address and the network"
    if isinstance(error, urllib.error.URLError):
        said = getattr(cause, "strerror", None) or cause
        return f"does not answer ({said}); check the address and the network"
    if isinstance(error, OSError):
        return str(error)
    return "no address of a web server, or its answer is not HTTP; check the address"


def _is_path(source: object) -> bool:
    return isinstance(source, str | os.PathLike)


def _is_number(source: object) -> bool:
    if isinstance(source, str):
        return source.isascii() and source.isdecimal() and len(source) < 10
    return isinstance(source, int | np.integer) and not isinstance(source, bool)


def _is_address(source: object) -> bool:
    return isinstance(source, str) and re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", source) is not None


def _is_pil(source: object) -> bool:
    return isinstance(getattr(source, "mode", None), str) and hasattr(source, "convert")


def _is_photo(source: object) -> bool:
    """Return whether it is surely no video and no camera, without opening it."""
    if _is_number(source) or _is_address(source):
        return False
    return not _is_path(source) or Path(str(source)).suffix.lower() not in VIDEO_SUFFIXES


def _as_path(source: Any) -> Path:
    try:
        return expand_user(os.fspath(source))
    except MienError as error:
        raise SourceError(str(error)) from None


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):  # what is wrong is said where it is opened
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
