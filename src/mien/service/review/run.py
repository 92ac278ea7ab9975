"""Run the server of a review until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

import uvicorn

from mien.errors import MienError
from mien.io.interrupt import asked_to_stop
from mien.service.review.app import create_app
from mien.service.review.review import Review

HOST: Final = "127.0.0.1"  # faces of a data set are for programs of this machine alone
_STOP_S: Final = 5
_BACKLOG: Final = 128


def run(review: Review, *, port: int, started: Callable[[str], None]) -> None:
    """Serve a review until SIGINT or SIGTERM.

    Args:
        review: review.
        port: port to listen on; 0 for a free one.
        started: called with the address of the page once it can be opened.

    Raises:
        MienError: if the port is taken.
    """
    with _listen(port) as listening, asked_to_stop():  # uvicorn sends itself the signal again
        port = listening.getsockname()[1]
        config = uvicorn.Config(
            create_app(review, port=port),
            loop="asyncio",
            ws="none",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=_STOP_S,
        )
        started(f"http://{HOST}:{port}/")
        uvicorn.Server(config).run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    """Return a socket that listens; what connects waits for the server.

    Raises:
        MienError: if the port is taken.
    """
    try:
        return socket.create_server((HOST, port), backlog=_BACKLOG)
    except OSError as error:
        raise MienError(
            f"{HOST}:{port}: cannot listen there ({error.strerror or error}); choose another with "
            "--port, or 0 for a free one"
        ) from None
