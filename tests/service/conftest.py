"""A real server on loopback, in a process of its own, as ``mien serve`` starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="not installed yet: make setup")

import httpx
from tests.vision.made import ASTRONAUT
from tests.waiting import wait_until

from mien.data.synthetic.faces import synthetic_faces

KEY = "a-key-that-is-only-for-tests"
PHOTO = cv2.imencode(".jpg", cv2.resize(ASTRONAUT[:256, 90:346], (160, 160)))[1].tobytes()
MIEN = "from mien.cli.main import main; main()"


class Server:
    """A running server.

    Attributes:
        url: its address.
        process: its process.
    """

    def __init__(self, process: subprocess.Popen, log: Path, port: int) -> None:
        self.process, self._log = process, log
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def lines(self) -> list[dict]:
        """Return the lines of its log."""
        text = self._log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def text(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def stop(self, seconds: float = 60) -> int:
        """Ask it to stop, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def memory_mb(self) -> int:
        """Return the memory that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) >> 10


@contextmanager
def running(
    tmp_path: Path, *flags: str | int, program: str = MIEN, **environment: str
) -> Iterator[Server]:
    """Start ``mien serve`` with these flags, and stop it at the end."""
    log = tmp_path / "log"
    command = [
        *(sys.executable, "-c", program, "serve", "--port", "0", "--model", "mien-xs"),
        *map(str, flags),
    ]
    with log.open("wb") as handle:
        process = subprocess.Popen(
            command,
            stdout=handle,
            stderr=handle,
            cwd=tmp_path,
            env={**os.environ, "MIEN_SERVE_THREADS": "2", **environment},
        )
    try:
        found: list[str] = []

        def is_listening() -> bool:
            text = log.read_text(encoding="utf-8")
            assert process.poll() is None, text
            found[:] = re.findall(r"running on http://\S+:(\d+)", text)
            return bool(found)

        wait_until(is_listening)
        yield Server(process, log, int(found[0]))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the usual settings and small limits, which needs no key."""
    with running(
        tmp_path_factory.mktemp("server"),
        *("--max-body-mb", 2, "--max-pixels", 2_000_000, "--max-images", 8, "--max-crops", 64),
        *("--body-timeout", 1.5, "--max-streams", 2, "--stream-idle", 1.5),
        # Nothing may be spooled: there is no such folder.
        TMPDIR="/nonexistent",
    ) as started:
        yield started


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that needs a key, and lets the pages of one other origin call it."""
    with running(
        tmp_path_factory.mktemp("locked"),
        *("--origin", "https://app.example"),
        MIEN_SERVE_KEY=KEY,
    ) as started:
        yield started


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """A client of the server without a key."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def crops() -> np.ndarray:
    """40 drawn faces of 48 by 48 pixels."""
    return synthetic_faces(40, seed=3).images


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def problem(reply: httpx.Response, status: int, kind: str) -> dict:
    """Return the problem document of a reply, once it is checked."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    document = reply.json()
    assert document["type"] == f"urn:mien:problem:{kind}"
    assert document["status"] == status
    assert document["request_id"] == reply.headers["x-request-id"]
    assert "Traceback" not in reply.text
    assert "site-packages" not in reply.text
    return document
