"""Download the picture at an http or https address."""

from __future__ import annotations

import http.client
import string
import time
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlunsplit

from mien.errors import SourceError
from mien.io.download import read_blocks
from mien.vision.sources._specs import suffix_of
from mien.vision.sources.base import Limits
from mien.vision.sources.photo import PHOTO_SUFFIXES

_TIMEOUTS: Final = 6  # a download may take this many idle timeouts in all


def download_picture(parts: SplitResult, name: str, limits: Limits) -> bytes | None:
    """Return the content of the picture at an address; None if the server declares another kind.

    Args:
        parts: parts of the address, with the login that it may contain.
        name: name of the address in errors.
        limits: limits on the size of the picture and the idle time of the server.

    Raises:
        SourceError: if the server does not answer, or sends a web page or too many bytes.
    """
    try:
        return _download(parts, limits)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SourceError(f"{name}: {_reason(error, limits.timeout_s)}") from None


def _download(parts: SplitResult, limits: Limits) -> bytes | None:
    """Return the picture at an address; None if the server declares another kind of content.

    Raises:
        OSError: if urllib raises one, or the answer is too long, breaks off or is a web page.
        http.client.HTTPException: if the answer is not HTTP.
        ValueError: if the address is not valid.
    """
    deadline = time.monotonic() + _TIMEOUTS * limits.timeout_s
    opener, address = _opener(parts)
    with opener.open(address, timeout=limits.timeout_s) as answer:
        content_type = answer.headers.get_content_type()
        if content_type == "text/html":
            raise OSError("a web page, expected a picture, a video or a stream")
        if not content_type.startswith("image/"):
            has_photo_suffix = suffix_of(address) in PHOTO_SUFFIXES
            if content_type.startswith(("multipart/", "video/")) or not has_photo_suffix:
                return None
        return b"".join(read_blocks(answer, max_bytes=limits.max_bytes, deadline=deadline))


def _opener(parts: SplitResult) -> tuple[urllib.request.OpenerDirector, str]:
    """Return an opener that sends the login in an address, and the address without that login."""
    host = parts.netloc.rpartition("@")[2]
    address = quote(urlunsplit(parts._replace(netloc=host)), safe=string.punctuation)
    if not parts.username:
        return urllib.request.build_opener(), address
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, address, unquote(parts.username), unquote(parts.password or ""))
    handlers = (urllib.request.HTTPBasicAuthHandler, urllib.request.HTTPDigestAuthHandler)
    return urllib.request.build_opener(*(handler(passwords) for handler in handlers)), address


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"the server says {error.code} {error.reason}; check the address and its password"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"does not answer within {timeout_s:g} s; check the address and the network"
    if isinstance(error, urllib.error.URLError):
        answer = getattr(cause, "strerror", None) or cause
        return f"does not answer ({answer}); check the address and the network"
    if isinstance(error, OSError):
        return str(error)
    return "not the address of a web server, or its answer is not HTTP; check the address"
