"""Cameras and streams: the newest frame each time.

A reading never lags behind the camera, however slow the reader is.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import cv2

from mien.errors import SourceError
from mien.images.decode import quiet_opencv
from mien.vision.sources._capture import check_frame_size, frame_rate, open_capture, read_frame
from mien.vision.sources._specs import is_number
from mien.vision.sources.base import SOURCES, Frame, Kind, Limits, Opener, Source, Stop
from mien.vision.sources.video import Connect, VideoSource

_LAST_CAMERA: Final = 99  # OpenCV uses hundreds for its backends
_FIRST_PAUSE_S: Final = 0.5  # before a broken stream is reopened; doubled each time
_WAIT_S: Final = 0.2  # the stop condition is checked between waits
_CLOSING_S: Final = 0.3
_SLOW_FRAME_S: Final = 0.5
_EXIT_S: Final = 1.0  # longer than Python takes to exit


@SOURCES.register("live")
class CameraOpener(Opener):
    """Opens the cameras of this machine, by their number."""

    def opens(self, spec: object) -> bool:
        """Return whether a spec is a number, as an integer or as text."""
        return is_number(spec)

    def kind(self, spec: object) -> Kind:
        """Return ``live``."""
        return "live"

    def open(self, spec: Any, *, limits: Limits, stop: Stop) -> Source:
        """Open a camera.

        Raises:
            SourceError: if there is no such camera, or another program uses it.
        """
        number, name = int(spec), str(spec)
        if not 0 <= number <= _LAST_CAMERA:
            raise SourceError(f"camera {name}: no such camera, expected 0 to {_LAST_CAMERA}")
        with quiet_opencv:
            capture = cv2.VideoCapture(number)
        if not capture.isOpened():
            raise SourceError(
                f"camera {name}: cannot be opened (is it connected, free and permitted?); cameras "
                f"are numbered from 0; for a file or a folder of that name write ./{name}"
            )
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # if the driver supports it: its queue is a delay
        lost = f"camera {name}: no more pictures (was it unplugged, or taken by another program?)"
        return LiveSource(name, capture, lost=lost, stop=stop)


def open_stream(address: str, name: str, *, limits: Limits, stop: Stop) -> Source:
    """Open a video or a stream at an address; a stream has no known end, and is live.

    Args:
        address: address that FFmpeg can read.
        name: address without its password, as it is shown.
        limits: limits on its frames, its idle time and its interruptions.
        stop: condition that ends the iteration.

    Raises:
        SourceError: if no readable video comes in time, or its frames are too large.
    """
    timeout_ms = round(1000 * limits.timeout_s)
    options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms]
    options += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]

    def connect() -> cv2.VideoCapture:
        return open_capture(address, options)

    capture = connect()
    if not capture.isOpened():
        raise SourceError(
            f"{name}: no video came within {limits.timeout_s:g} s, expected a stream or a video; "
            "check the address, its password, the network, and that the camera is on"
        )
    check_frame_size(capture, name, limits)
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return VideoSource(name, capture, connect, stop=stop)
    lost = f"{name}: the stream broke off, and {limits.retries} attempts to reopen it failed"
    return LiveSource(name, capture, lost=lost, stop=stop, connect=connect, limits=limits)


class LiveSource(Source):
    """The newest frame of a camera or a stream, each time that one is requested.

    A thread reads every frame, from the first iteration until the source is closed or the iteration
    is left. After that the source yields nothing more.

    Args:
        name: number of the camera, or address of the stream without its password.
        capture: opened capture.
        lost: message for the end of the stream.
        stop: condition that ends the iteration.
        connect: function that reopens a stream; None for a camera.
        limits: idle timeout and number of attempts to reopen a stream.
    """

    def __init__(
        self,
        name: str,
        capture: cv2.VideoCapture,
        *,
        lost: str,
        stop: Stop,
        connect: Connect | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(name, "live", fps=frame_rate(capture))
        self._capture = capture
        self._lost = lost
        self._stop = stop
        self._connect = connect
        self._limits = limits or Limits()
        self._closing = threading.Event()
        self._news = threading.Condition()
        self._newest: Frame | None = None
        self._has_ended = False
        self._waiting_since = 0.0
        # A daemon: OpenCV cannot be interrupted, and Python does not wait for a daemon to end.
        self._thread = threading.Thread(target=self._grab, name=f"mien {name}", daemon=True)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time; frame numbers also count dropped frames."""
        if not self._closing.is_set() and not self._thread.is_alive():
            self._thread.start()
        has_frames = False
        try:
            while (frame := self._next()) is not None:
                has_frames = True
                yield frame
        finally:
            self.close()
        if not has_frames and self.failures:
            raise self.failures.pop()

    def close(self) -> None:
        """Stop the thread, which releases the device.

        A thread that waits for a silent device or stream is left behind. It releases it when that
        wait times out.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        if self._thread.ident is None:
            self._capture.release()
            return
        self._thread.join(_CLOSING_S)
        if self._thread.is_alive():
            atexit.register(self._leave)

    def _leave(self) -> None:
        """Let a wait that is about to end do so before Python exits.

        The process aborts if OpenCV returns to Python from a wait while Python is exiting, which
        takes about 30 ms. The wait of a slow stream ends with its next frame, that of a silent one
        when it times out. A longer wait is cut short by the end of the process.
        """
        timeout_s = self._waiting_since + self._limits.timeout_s - time.monotonic()
        self._thread.join(2 * _EXIT_S if timeout_s < _EXIT_S else _SLOW_FRAME_S)

    def _next(self) -> Frame | None:
        """Return the newest frame, waiting for it; None at the end."""
        while not self._closing.is_set() and not self._stop():
            with self._news:
                if self._newest is None and not self._has_ended:
                    self._news.wait(_WAIT_S)
                frame, self._newest = self._newest, None
                if frame is not None or self._has_ended:
                    return None if self._closing.is_set() else frame
        return None

    def _grab(self) -> None:
        """Read every frame and keep the newest; runs in the thread."""
        index, attempts, start_s = 0, 0, 0.0
        try:
            while not self._closing.is_set():
                self._waiting_since = time.monotonic()
                image = read_frame(self._capture)
                if image is not None:
                    now = time.monotonic()
                    start_s = start_s or now
                    self._keep(Frame(image, self.name, index, now - start_s))
                    index, attempts = index + 1, 0
                elif not self._closing.is_set():
                    if self._connect is None or attempts == self._limits.retries:
                        self.failures.append(SourceError(self._lost))
                        return
                    self._reopen(self._connect, pause_s=_FIRST_PAUSE_S * 2**attempts)
                    attempts += 1
        finally:
            self._capture.release()
            with self._news:
                self._has_ended = True
                self._news.notify_all()

    def _reopen(self, connect: Connect, *, pause_s: float) -> None:
        self._capture.release()
        self._closing.wait(pause_s)
        if not self._closing.is_set():
            self._waiting_since = time.monotonic()
            self._capture = connect()

    def _keep(self, frame: Frame) -> None:
        with self._news:
            self.dropped += self._newest is not None
            self._newest = frame
            self._news.notify_all()
