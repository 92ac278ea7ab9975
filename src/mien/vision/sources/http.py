"""Addresses: a picture, a video or a stream behind http, https or rtsp.

What is at an http address, its first bytes say; it is asked for once, unless it is a stream, which
FFmpeg asks for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from mien.errors import SourceError
from mien.images.kinds import Kind as FileKind
from mien.images.kinds import identify
from mien.vision.sources._content import open_content
from mien.vision.sources._specs import is_address, is_path, suffix_of
from mien.vision.sources.base import SOURCES, Kind, Limits, Opener, Source, Stop
from mien.vision.sources.live import open_stream
from mien.vision.sources.photo import PHOTO_SUFFIXES

if TYPE_CHECKING:
    from mien.vision.sources._download import Answer

_SCHEMES: Final = ("http", "https", "rtsp", "rtsps")
_EXPECTED: Final = "expected a picture, a video or a stream"
# Videos that have no end if the server states no length.
_ENDLESS: Final = ("MPEG transport stream", "FLV", "MPEG video", "raw H.26")
_NEXT_JPEG: Final = b"\xff\xd9\xff\xd8"  # the end of a JPEG and the beginning of the next one
_JPEGS_OF_A_STREAM: Final = 3  # a photo may be followed by one or two previews


@SOURCES.register("http")
class AddressOpener(Opener):
    """Opens pictures, videos and streams at http, https and rtsp addresses."""

    is_fallback = True  # accepts every scheme, to say which ones are supported

    def opens(self, spec: object) -> bool:
        """Return whether a spec is an address of any scheme."""
        return is_address(spec) and not is_path(spec)

    def kind(self, spec: object) -> Kind:
        """Return ``photos`` for an address with the suffix of a photo, ``live`` for others."""
        return "photos" if suffix_of(spec) in PHOTO_SUFFIXES else "live"

    def name(self, spec: object) -> str:
        """Return the address without its login."""
        return without_password(str(spec))

    def open(self, spec: Any, *, limits: Limits, stop: Stop) -> Source:
        """Open an address; a picture or a video with an end is downloaded now.

        Raises:
            SourceError: if the address is wrong, does not answer, or its content cannot be read.
        """
        name = self.name(spec)
        try:
            parts = urlsplit(spec.strip())
        except ValueError:  # whose text may contain the password
            raise SourceError(f"{name}: not a valid address; check it") from None
        if parts.scheme not in _SCHEMES:
            raise SourceError(
                f"{name}: {parts.scheme}:// is not supported, expected http://, https:// or "
                "rtsp://; for a file write its path"
            )
        if parts.scheme not in ("http", "https"):
            return open_stream(spec, name, limits=limits, stop=stop)
        return _open_web(parts, name, limits=limits, stop=stop)


def _open_web(parts: SplitResult, name: str, *, limits: Limits, stop: Stop) -> Source:
    """Open what is at an http address."""
    # Imported now: HTTP and SSL take 20 ms, which photos and cameras do not need.
    from mien.vision.sources._download import ask, bare_address

    with ask(parts, name, limits) as answer:
        if not _is_stream(answer):
            kind = identify(answer.head())
            is_video = kind.group == "video" or (
                not kind.name and answer.content_type.startswith("video/")
            )
            if not is_video and kind.group != "photo":
                raise SourceError(f"{name}: {_refusal(answer, kind)}, {_EXPECTED}")
            blocks = answer.blocks(is_video=is_video)
            if kind.name == "a JPEG" and answer.length is None:
                blocks = _single_jpeg(blocks, name)
            return open_content(blocks, name, limits=limits, stop=stop, is_known_video=is_video)
    address = bare_address(parts)
    login = parts.netloc.rpartition("@")[0]
    if login:
        address = address.replace("://", f"://{login}@", 1)
    return open_stream(address, name, limits=limits, stop=stop)


def _is_stream(answer: Answer) -> bool:
    """Return whether an answer has no end, by its type or its first bytes."""
    if answer.content_type.startswith("multipart/"):
        return True
    head = answer.head()
    kind = identify(head)
    if kind.name == "an HLS playlist":
        return True
    if head.startswith(b"--") and b"image/jpeg" in head.lower():  # multipart without its type
        return True
    if answer.length is not None:
        return False
    is_motion = kind.name == "a JPEG" and answer.content_type.startswith("video/")
    return is_motion or (kind.group == "video" and any(word in kind.name for word in _ENDLESS))


def _single_jpeg(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Yield the blocks of a JPEG.

    Raises:
        SourceError: if other JPEGs follow it, as from a camera that does not separate them.
    """
    found, last = 0, b""
    for block in blocks:
        joined = last + block
        found += joined.count(_NEXT_JPEG)
        if found >= _JPEGS_OF_A_STREAM:
            raise SourceError(
                f"{name}: JPEGs one after another, expected a single picture, or a stream of type "
                "multipart/x-mixed-replace"
            )
        last = joined[-len(_NEXT_JPEG) + 1 :]
        yield block


def _refusal(answer: Answer, kind: FileKind) -> str:
    """Return what came instead of a picture or a video."""
    if not answer.head():
        return "an empty answer"
    if kind.name:
        return kind.name
    if answer.content_type:
        return f"an answer of type {answer.content_type[:80]}, in an unknown format"
    return "an answer in an unknown format"


def without_password(address: str) -> str:
    """Return an address as it may be shown and written: without a login."""
    scheme, _, rest = address.partition("://")
    login, _, place = rest.rpartition("@")
    # A password may contain /, # and ? unescaped. Without a password, an @ may belong to a path.
    if ":" not in login and set(login) & set("/?#"):
        place = rest
    return f"{scheme}://{place}"
