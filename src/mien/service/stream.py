"""The WebSocket: image files in, readings out. The newest frame wins, so that nothing piles up."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import suppress
from typing import Final, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from mien.service.engine import Engine, Follower
from mien.service.logs import LOGGER
from mien.service.metrics import Metrics
from mien.service.problems import Problem
from mien.service.schemas import Face, StreamReply
from mien.service.settings import Settings

_SEND_S: Final = 10.0  # a client that takes no reply for so long has stalled
_MAX_REFUSED: Final = 20  # frames in a row that cannot be decoded

_log = logging.getLogger(LOGGER)

_DONE, _REFUSED = 1000, 1008  # close codes of RFC 6455


class _Frame(NamedTuple):
    """A frame, its number among those that came, and the time when it came."""

    number: int
    content: bytes
    arrived: float


class Stream:
    """One open stream.

    Args:
        socket: accepted WebSocket.
        engine: engine that reads the frames.
        settings: settings of the service.
        metrics: figures of the service.
    """

    def __init__(
        self, socket: WebSocket, engine: Engine, settings: Settings, metrics: Metrics
    ) -> None:
        self._socket, self._engine, self._settings = socket, engine, settings
        self._metrics = metrics
        self._follower = Follower()
        self._started = time.monotonic()
        self._newest: _Frame | None = None
        self._is_there = asyncio.Event()
        self._came = self._dropped = 0

    async def run(self) -> None:
        """Read frames until the client goes, stalls, or sends what is no image again and again."""
        tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._answer())]
        code, reason = _DONE, ""
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            code, reason = done.pop().result()
        except WebSocketDisconnect:
            return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tell(reason)
        with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):  # it has gone already
            await asyncio.wait_for(self._socket.close(code, reason), 1)

    def _tell(self, reason: str) -> None:
        """Log the stream: not who sent it, and nothing of its frames."""
        about = {
            "seconds": round(time.monotonic() - self._started, 1),
            "frames": self._came,
            "dropped": self._dropped,
            "reason": reason or "the client left",
        }
        _log.info("stream", extra={"about": about})

    async def _receive(self) -> tuple[int, str]:
        """Keep the newest frame; return the close code and its reason when none comes any more."""
        idle_s = self._settings.stream_idle
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), idle_s)
            except TimeoutError:
                return _REFUSED, f"no frame for {idle_s:g} s"
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code") or _DONE)
            content = message.get("bytes")
            if content is None:
                return _REFUSED, "expected each frame as a binary message, such as a JPEG"
            if self._newest is not None:
                self._dropped += 1
                self._metrics.frames.labels("dropped").inc()
            self._newest = _Frame(self._came, content, time.monotonic())
            self._came += 1
            self._is_there.set()

    async def _answer(self) -> tuple[int, str]:
        """Read the newest frame again and again; return the close code and its reason."""
        refused = 0
        while refused < _MAX_REFUSED:
            await self._is_there.wait()
            self._is_there.clear()
            frame, self._newest = self._newest, None
            if frame is None:
                continue
            try:
                text = (await self._read(frame)).model_dump_json()
                refused = 0
                self._metrics.frames.labels("read").inc()
            except Problem as problem:
                text = json.dumps({"frame": frame.number, "problem": problem.as_dict()})
                refused += problem.status < 500
                self._metrics.frames.labels("refused").inc()
            try:
                await asyncio.wait_for(self._socket.send_text(text), _SEND_S)
            except TimeoutError:
                return _REFUSED, "the replies are not taken"
        return _REFUSED, f"{_MAX_REFUSED} frames in a row are no images that are read"

    async def _read(self, frame: _Frame) -> StreamReply:
        seconds = frame.arrived - self._started
        picture = await self._engine.read_frame(frame.content, seconds, self._follower)
        width, height = picture.size
        return StreamReply.model_construct(
            name="",
            width=width,
            height=height,
            faces_found=picture.found,
            faces=[Face.of(reading) for reading in picture.readings],
            frame=frame.number,
            seconds=round(seconds, 3),
            dropped=self._dropped,
            latency_ms=round((time.monotonic() - frame.arrived) * 1e3, 1),
        )
