"""Run the service: its listening socket, its processes and its end."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mien.errors import MienError
from mien.io.interrupt import asked_to_stop
from mien.service.app import create_app
from mien.service.logs import configuration
from mien.service.metrics import FOLDER_VARIABLE
from mien.service.settings import Settings

_HEADERS_S: Final = 10.0  # in which the headers of a request must arrive
_HEADER_BYTES: Final = 16 << 10
_KEEP_ALIVE_S: Final = 15
_PING_S: Final = 20.0


class _Protocol(H11Protocol):
    """HTTP/1.1 with a limit on the time that a request's headers take."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_timer()

    def _watch(self) -> None:
        """Start the timer while headers are awaited; keep it until they are there."""
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(_HEADERS_S, self._end)

    def _end(self) -> None:
        self._timer = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then finish what was taken.

    Args:
        settings: settings of the service.

    Raises:
        MienError: if the port is taken, or the service cannot be made.
    """
    _refuse_taken_port(settings)
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        # h11 bounds the size of headers, and uvicorn's other parsers do not.
        "http": _Protocol,
        "h11_max_incomplete_event_size": _HEADER_BYTES,
        "loop": "asyncio",
        "ws": "websockets-sansio",
        "ws_max_size": settings.max_body_mb << 20,
        "ws_ping_interval": _PING_S,
        "ws_ping_timeout": _PING_S,
        "ws_per_message_deflate": False,
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": configuration(),
        "timeout_keep_alive": _KEEP_ALIVE_S,
        "timeout_graceful_shutdown": settings.stop_timeout,
    }
    if settings.workers == 1:
        with asked_to_stop():  # uvicorn sends itself the signal again, once it has stopped
            uvicorn.run(create_app(settings), **options)
        return
    create_app(settings).state.service.close()  # what is wrong is told once, not by each worker
    with tempfile.TemporaryDirectory(prefix="mien-figures-") as folder:
        os.environ.update(settings.as_environment() | {FOLDER_VARIABLE: folder})
        uvicorn.run(
            "mien.service.app:from_environment", factory=True, workers=settings.workers, **options
        )


def _refuse_taken_port(settings: Settings) -> None:
    """Raise a MienError if the address cannot be listened on."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        raise MienError(
            f"{settings.host}:{settings.port}: cannot listen there ({error.strerror or error}); "
            "choose another with --port or --host"
        ) from None
