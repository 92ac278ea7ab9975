"""Cameras and streams as Sources: the newest frame each time.

What is seen never lags behind what happens, however slow the reader is.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from mien.errors import SourceError
from mien.vision.reading import Frame, Source
from mien.vision.sources.video import Connect, VideoSource, check_size, rate_of

_FIRST_PAUSE_S: Final = 0.5
_WAIT_S: Final = 0.2  # Ctrl-C and keys are heard between waits
_PARTING_S: Final = 0.3


def open_camera(number: int) -> Source:
    """Open a camera of this machine.

    Raises:
        SourceError: if there is none of that number, or another program has it.
    """
    name = str(number)
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise SourceError(
            f"camera {name}: cannot be opened (not there, in use by another program, or not allowed"
            f"?); cameras are counted from 0; for a file or folder of that name write ./{name}"
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # where the driver can, or its queue is what lags
    lost = f"camera {name}: gives no more pictures (unplugged, or taken by another program?)"
    return LiveSource(name, capture, lost=lost)


def open_stream(
    address: str, name: str, *, max_pixels: int, timeout_s: float, retries: int
) -> Source:
    """Open a video or a stream at an address; it is live where it has no known end.

    Args:
        address: that FFmpeg can read.
        name: the address without its password, as it is shown.
        max_pixels: of a frame.
        timeout_s: how long the other side may be silent.
        retries: how often in a row a broken stream is opened again.

    Raises:
        SourceError: if nothing that can be read comes in time, or its frames are too large.
    """
    timeout_ms = round(1000 * timeout_s)
    options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms]
    options += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]

    def connect() -> cv2.VideoCapture:
        return cv2.VideoCapture(address, cv2.CAP_FFMPEG, options)

    capture = connect()
    if not capture.isOpened():
        raise SourceError(
            f"{name}: no video came within {timeout_s:g} s, expected a stream or a video; check "
            "the address, its password, the network, and that the camera is on"
        )
    check_size(capture, name, max_pixels)
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return VideoSource(name, connect, capture)
    lost = f"{name}: the stream broke off, and opening it again failed {retries} times in a row"
    return LiveSource(name, capture, lost=lost, connect=connect, retries=retries)


class LiveSource(Source):
    """The newest frame of a camera or a stream, each time that one is asked for.

    A thread reads all of them, from the first time that it is iterated over until it is closed or
    the iteration is left; then it is over.
    """

    def __init__(
        self,
        name: str,
        capture: cv2.VideoCapture,
        *,
        lost: str,
        connect: Connect | None = None,
        retries: int = 0,
    ) -> None:
        super().__init__(name, "live", fps=rate_of(capture))
        self._capture = capture
        self._lost = lost
        self._connect = connect
        self._retries = retries
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._newest: Frame | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._grab, name=f"mien {name}", daemon=True)

    def __iter__(self) -> Iterator[Frame]:
        """Give the newest frame each time, numbered with those that were dropped."""
        if not self._stop.is_set() and not self._thread.is_alive():
            self._thread.start()
        seen = False
        try:
            while (frame := self._next()) is not None:
                seen = True
                yield frame
        finally:
            self.close()
        if not seen and self.failures:
            raise self.failures.pop()

    def close(self) -> None:
        """Stop the thread, which releases the device.

        A thread that waits for a silent device or stream is left behind: it ends, and releases
        it, when that wait times out.
        """
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread.ident is None:
            self._capture.release()
            return
        self._thread.join(_PARTING_S)
        self.lingers = self._thread.is_alive()
        if self.lingers:  # Python crashes where OpenCV comes back to it while it ends
            atexit.register(self._thread.join)

    def _next(self) -> Frame | None:
        while not self._stop.is_set() and not self.over():
            with self._news:
                if self._newest is None and not self._ended:
                    self._news.wait(_WAIT_S)
                frame, self._newest = self._newest, None
                if frame is not None or self._ended:
                    return None if self._stop.is_set() else frame
        return None

    def _grab(self) -> None:
        index, tries, began = 0, 0, 0.0
        try:
            while not self._stop.is_set():
                there, image = self._capture.read()
                if there:
                    now = time.monotonic()
                    began = began or now
                    self._show(Frame(np.asarray(image, np.uint8), self.name, index, now - began))
                    index, tries = index + 1, 0
                    continue
                if self._stop.is_set():
                    return
                self._capture.release()
                if self._connect is None or tries == self._retries:
                    self.failures.append(SourceError(self._lost))
                    return
                self._stop.wait(_FIRST_PAUSE_S * 2**tries)
                tries += 1
                if not self._stop.is_set():
                    self._capture = self._connect()
        finally:
            self._capture.release()
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _show(self, frame: Frame) -> None:
        with self._news:
            self.dropped += self._newest is not None
            self._newest = frame
            self._news.notify_all()
