"""What is at an address, as a Source: a picture, a video or a stream."""

from __future__ import annotations

import http.client
import string
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mien.errors import SourceError
from mien.vision.reading import Source
from mien.vision.sources.live import open_stream
from mien.vision.sources.photo import PHOTO_SUFFIXES, Limits, PhotoSource, decode_photo

_SCHEMES: Final = ("http", "https", "rtsp", "rtsps")
_CHUNK_BYTES: Final = 1 << 16


def open_address(address: str, limits: Limits) -> Source:
    """Open a picture, a video or a stream at an http, https or rtsp address.

    Raises:
        SourceError: if it is no such address, does not answer, or gives what cannot be read.
    """
    name = without_password(address)
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise SourceError(f"{name}: no address ({error})") from None
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
            return PhotoSource(name, lambda wrong: decode_photo(content, name, limits, wrong))
    return open_stream(
        address,
        name,
        max_pixels=limits.max_pixels,
        timeout_s=limits.timeout_s,
        retries=limits.retries,
    )


def without_password(address: str) -> str:
    """Return an address as it may be shown and written, without the login that it may hold."""
    scheme, _, rest = address.partition("://")
    login, _, place = rest.rpartition("@")
    # A password may hold /, # and ? unescaped; without one, what is before an @ may be a path's.
    if ":" not in login and set(login) & set("/?#"):
        place = rest
    return f"{scheme}://{place}"


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
