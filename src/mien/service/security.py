"""What every request passes first: name and origin checks, limits on its body, headers, the log."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import re
import time
import uuid
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from mien.service.headers import HEADERS
from mien.service.logs import LOGGER
from mien.service.metrics import Metrics
from mien.service.problems import Problem
from mien.service.settings import Settings, is_loopback

KEY_PROTOCOL: Final = "mien.key."  # before a key, in a subprotocol of a WebSocket

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_LINGER_S: Final = 2.0
_GONE: Final = 499  # nginx's status, in the log, of a client that went before its reply
_MAX_PATH: Final = 200  # characters in the log

_log = logging.getLogger(LOGGER)


class Key:
    """The API key, compared in a time that does not depend on how much of it is right.

    Args:
        key: the key; None if requests need none.
    """

    def __init__(self, key: str | None) -> None:
        self._digest = None if key is None else _digest(key)

    def check(self, headers: Headers, protocols: list[str] | None = None) -> None:
        """Raise a Problem if a request has not the key.

        Args:
            headers: headers of the request.
            protocols: subprotocols that a WebSocket offers; a page's WebSocket cannot set headers.
        """
        if self._digest is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            given = _key_of(protocols or [])
        if not hmac.compare_digest(_digest(given.strip()), self._digest):
            raise Problem("no-key", "send the API key: Authorization: Bearer KEY")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _key_of(protocols: list[str]) -> str:
    """Return the key in a subprotocol, which is Base64 for URLs without its padding."""
    for one in protocols:
        if one.startswith(KEY_PROTOCOL):
            text = one.removeprefix(KEY_PROTOCOL)
            try:
                return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("latin-1")
            except (binascii.Error, ValueError):
                return ""
    return ""


class Gate:
    """The outermost part of the application.

    Args:
        app: the rest of it.
        settings: settings of the service.
        metrics: figures of the service.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._hosts = frozenset(name.lower() for name in settings.hosts)
        if not self._hosts and is_loopback(settings.host):
            self._hosts = frozenset((*_LOCAL_NAMES, settings.host))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, one WebSocket or the start and the end of the service."""
        if scope["type"] == "http":
            await _Exchange(scope, receive, send, self._settings, self._metrics).run(
                self._app, self._refusal(Headers(scope=scope))
            )
        elif scope["type"] == "websocket":
            refusal = self._refusal(Headers(scope=scope))
            if refusal:
                socket = WebSocket(scope, receive, send)
                await socket.send_denial_response(refusal.response())
            else:
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> Problem | None:
        """Return why the page or the name is not the service's own; None if it is.

        The first keeps another site's page from using a service on the visitor's own machine. The
        second does so where that site gives its own name the address of the visitor's machine.
        """
        host = headers.get("host", "")
        name = re.sub(r":\d*$", "", host).strip("[]").lower()
        if self._hosts and name not in self._hosts:
            return Problem(
                "other-host", "use the name or the address of the service (--allow-host)"
            )
        origin = headers.get("origin")
        if origin is None or origin in self._settings.origins:
            return None
        if origin.partition("://")[2].lower() == host.lower():
            return None
        return Problem("other-origin", "pages of this origin are not allowed (--origin)")


class _Exchange:
    """One request and its reply."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, settings: Settings, metrics: Metrics
    ) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._settings, self._metrics = settings, metrics
        self._most_bytes = settings.max_body_mb << 20
        self._headers = Headers(scope=scope)
        given = self._headers.get("x-request-id", "")
        self.id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._state["request_id"] = self.id
        self._bytes = 0
        self._deadline: float | None = None
        self._has_body_left = True
        self._status = 0
        self._lingers = False

    async def run(self, app: ASGIApp, refusal: Problem | None) -> None:
        """Answer the request, and log it.

        Args:
            app: the application.
            refusal: why the request is refused; None if it is not.
        """
        started = time.perf_counter()
        try:
            if refusal:
                await refusal.response(self.id)(self._scope, self._take, self._reply)
            else:
                await app(self._scope, self._take, self._reply)
        except ClientDisconnect:
            self._status = _GONE
        except Exception:
            _log.exception("failed", extra={"about": {"request_id": self.id}})
            if self._status:
                raise  # the reply has begun: the connection is closed
            problem = Problem("internal", "the failure was logged under the request's id")
            await problem.response(self.id)(self._scope, self._take, self._reply)
        finally:
            self._tell(time.perf_counter() - started)

    async def _take(self) -> Message:
        """Return the next part of the body.

        Raises:
            Problem: if the body is too large, or too slow.
        """
        if not self._has_body_left:
            return await self._receive()
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._settings.body_timeout
            stated = self._headers.get("content-length", "")
            if stated.isdecimal() and int(stated) > self._most_bytes:
                raise self._too_large()
        try:
            message = await asyncio.wait_for(self._receive(), max(self._deadline - now, 0.001))
        except TimeoutError:
            raise Problem(
                "slow-body",
                f"the body did not arrive within {self._settings.body_timeout:g} s; send less",
            ) from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._most_bytes:
            raise self._too_large()
        self._has_body_left = message["type"] == "http.request" and message.get("more_body", False)
        return message

    def _too_large(self) -> Problem:
        return Problem(
            "body-too-large",
            f"the body has more than the {self._settings.max_body_mb:,} MB that are taken",
        )

    async def _reply(self, message: Message) -> None:
        """Send a part of the reply, with the headers that every reply has."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            headers["X-Request-ID"] = self.id
            if self._has_body_left and self._status in (408, 413):
                headers["Connection"] = "close"
                self._lingers = self._status == 413
        elif self._lingers and not message.get("more_body", False):
            # A connection that is closed while the client still sends is reset, and the reply with
            # it: what comes is thrown away for a moment.
            await self._send({**message, "more_body": True})
            await self._discard()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _discard(self) -> None:
        """Throw away the rest of the body, for a short time and up to the size of the largest."""
        most = self._bytes + self._most_bytes
        try:
            async with asyncio.timeout(_LINGER_S):
                while self._bytes < most:
                    message = await self._receive()
                    self._bytes += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return

    def _tell(self, seconds: float) -> None:
        """Log the request and count it; neither tells who made it."""
        route = self._scope.get("route")
        path = getattr(route, "path", "other")
        self._metrics.requests.labels(path, str(self._status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        about = {
            "request_id": self.id,
            "method": self._scope["method"][:_MAX_PATH],
            "path": self._scope["path"][:_MAX_PATH],
            "status": self._status,
            "ms": round(seconds * 1e3, 1),
            "bytes": self._bytes,
        }
        about |= {name: self._state[name] for name in ("images", "faces") if name in self._state}
        _log.info("request", extra={"about": about})
