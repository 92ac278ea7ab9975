"""Ask for an http or https address once, and read the answer as it comes."""

from __future__ import annotations

import http.client
import socket
import ssl
import string
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import SplitResult, quote, unquote, urlunsplit

from mien.errors import SourceError, first_line
from mien.images.kinds import HEAD_BYTES
from mien.io.download import USER_AGENT
from mien.vision.sources.base import Limits

_TIMEOUTS: Final = 6  # an answer may take this many idle timeouts in all
_SLOWEST_BYTES_PER_S: Final = 64 << 10  # of a video whose length the server states
_UNSTATED_S: Final = 600.0  # longest download of a video whose length the server does not state
_BLOCK_BYTES: Final = 1 << 16
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_NO_WEB_SERVER: Final = (
    "not the address of a web server, or its answer is not HTTP; check the address"
)


class Answer:
    """The answer of a web server, whose body is read once.

    Args:
        response: opened answer.
        name: name of the address in errors.
        limits: limits on the idle time of the server.
        watch: watch that ends the connection if it takes too long.

    Attributes:
        content_type: type that the server states, in lower case, such as ``image/jpeg``.
        length: number of bytes that the server states; None if it states none.
    """

    def __init__(
        self, response: http.client.HTTPResponse, name: str, limits: Limits, watch: _Watch
    ) -> None:
        self._response, self._name, self._limits, self._watch = response, name, limits, watch
        self._start = time.monotonic()
        self._is_video = False
        self.content_type = response.headers.get_content_type().lower()
        has_type = "Content-Type" in response.headers
        self.content_type = self.content_type if has_type else ""
        self.length = response.length
        self._body = self._decompressed()
        self._head = b""

    def head(self) -> bytes:
        """Return the first bytes of the body; `blocks` yields them again.

        Raises:
            SourceError: if the server is silent or too slow, or the body cannot be decompressed.
        """
        while len(self._head) < HEAD_BYTES and (block := next(self._body, b"")):
            self._head += block
        return self._head

    def blocks(self, *, is_video: bool) -> Iterator[bytes]:
        """Yield the body block by block, as it arrives.

        A body that breaks off just ends: whoever decodes it finds out what is missing.

        Args:
            is_video: whether the body is a video, which may take longer than a picture.

        Raises:
            SourceError: if the server is silent or too slow, or the body cannot be decompressed.
        """
        if is_video:
            self._is_video = True
            self._watch.end()
        yield self.head()
        yield from self._body

    def _decompressed(self) -> Iterator[bytes]:
        """Yield the body without the compression that the server states."""
        encoding = self._response.headers.get("Content-Encoding", "").strip().lower()
        blocks = self._raw()
        if encoding in ("", "identity", "binary"):
            yield from blocks
            return
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise SourceError(
                f"{self._name}: the answer is compressed by {encoding[:20]!r}, which was not asked "
                "for and cannot be read"
            )
        unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            for block in blocks:
                rest = block
                while rest:  # bounded, however far it expands
                    if unpacked := unpack.decompress(rest, _BLOCK_BYTES):
                        yield unpacked
                    rest = unpack.unconsumed_tail
        except zlib.error:
            raise SourceError(
                f"{self._name}: the answer is compressed by {encoding}, and damaged"
            ) from None

    def _raw(self) -> Iterator[bytes]:
        count = 0
        while block := self._next_block(count):
            count += len(block)
            yield block
            if time.monotonic() - self._start > self._allowed_s(count):
                raise self._too_slow(count)

    def _next_block(self, count: int) -> bytes:
        """Return the next bytes that arrive; none at the end, or where the answer breaks off."""
        try:
            block = self._response.read1(_BLOCK_BYTES)  # read() would wait for whole blocks
        except TimeoutError:
            raise SourceError(
                f"{self._name}: the server sent {count:,} bytes, and then nothing for "
                f"{self._limits.timeout_s:g} s"
            ) from None
        except (OSError, ValueError, http.client.HTTPException):
            block = b""
        if not block and self._watch.has_rung:
            raise self._too_slow(count)
        return block

    def _allowed_s(self, count: int) -> float:
        """Return how long so many bytes may take, in seconds."""
        least_s = _TIMEOUTS * self._limits.timeout_s
        if not self._is_video:
            return least_s
        return _UNSTATED_S if self.length is None else least_s + count / _SLOWEST_BYTES_PER_S

    def _too_slow(self, count: int) -> SourceError:
        return SourceError(
            f"{self._name}: does not answer fast enough: {count:,} bytes in "
            f"{time.monotonic() - self._start:.0f} s; download it, and read the file"
        )


@contextmanager
def ask(parts: SplitResult, name: str, limits: Limits) -> Iterator[Answer]:
    """Ask for an address once, following redirects, and yield the answer.

    Args:
        parts: parts of the address, with the login that it may contain.
        name: name of the address in errors.
        limits: limits on the idle time of the server.

    Raises:
        SourceError: if the server does not answer, or answers that it will not.
    """
    watch = _Watch(_TIMEOUTS * limits.timeout_s)
    try:
        try:
            request = urllib.request.Request(
                bare_address(parts), headers={"User-Agent": USER_AGENT, "Accept": "*/*"}
            )
            response = _opener(parts, watch).open(request, timeout=limits.timeout_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SourceError(f"{name}: {_reason(error, limits.timeout_s, watch)}") from None
        with response:
            yield Answer(response, name, limits, watch)
    finally:
        watch.end()


def bare_address(parts: SplitResult) -> str:
    """Return an address without its login, in ASCII.

    Raises:
        ValueError: if the host is not valid.
    """
    host = parts.netloc.rpartition("@")[2]
    if not host.isascii():
        host, colon, port = host.partition(":")
        host = host.encode("idna").decode() + colon + port
    path, query, fragment = (
        quote(part, safe=string.punctuation) for part in (parts.path, parts.query, parts.fragment)
    )
    return urlunsplit((parts.scheme, host, path, query, fragment))


class _Watch:
    """Ends the connections of an answer after a time, however slowly the bytes drip.

    The timeout of a socket is that of a single wait, and each byte begins a new one.
    """

    def __init__(self, limit_s: float) -> None:
        self.sockets: list[socket.socket] = []
        self.has_rung = False
        self._timer = threading.Timer(limit_s, self._ring)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Let the connections live."""
        self._timer.cancel()

    def _ring(self) -> None:
        self.has_rung = True
        for one in self.sockets:
            try:
                socket.socket.shutdown(one, socket.SHUT_RDWR)
            except OSError:  # it has ended
                continue


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_watched(http.client.HTTPConnection, self._watch), req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        connection = _watched(http.client.HTTPSConnection, self._watch)
        return self.do_open(connection, req, context=ssl.create_default_context())


def _watched(base: type[http.client.HTTPConnection], watch: _Watch) -> Any:
    """Return a class of connections that a watch can end."""

    class Watched(base):  # type: ignore[misc, valid-type]
        def connect(self) -> None:
            super().connect()
            watch.sockets.append(self.sock)

    return Watched


def _opener(parts: SplitResult, watch: _Watch) -> urllib.request.OpenerDirector:
    """Return an opener of http and https addresses alone, which sends the login in an address."""
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        _HttpHandler(watch),
        _HttpsHandler(watch),
    ]
    if parts.username:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        login = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, bare_address(parts), *login)
        handlers.append(urllib.request.HTTPBasicAuthHandler(passwords))
        handlers.append(urllib.request.HTTPDigestAuthHandler(passwords))
    opener = urllib.request.OpenerDirector()
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _reason(error: Exception, timeout_s: float, watch: _Watch) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        said = f"{error.code} {first_line(Exception(error.reason))}".rstrip(". ")
        return f"the server says {said}; check the address and its password"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError) or watch.has_rung:
        return f"does not answer within {timeout_s:g} s; check the address and the network"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({cause.verify_message}); check the address"
    if isinstance(error, OSError):
        answer = getattr(cause, "strerror", None) or cause
        return (
            f"does not answer ({first_line(Exception(answer))}); check the address and the network"
        )
    return _NO_WEB_SERVER
