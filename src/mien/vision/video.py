"""Sources of Frames: what all of them have in common, and those that OpenCV's VideoCapture reads.

A video file gives every frame in order. A camera or a stream gives the newest one, so that what is
seen never lags behind what happens, however slow the reader is.
"""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, Self

import cv2
import numpy as np

from mien.data.pixels import Image
from mien.errors import SourceError
from mien.vision.reading import Frame

# FFmpeg would print its own notes on top of the one clear line that we give; it looks here once.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# Containers promise a few frames more than they have; from this share on one is taken for whole.
_WHOLE: Final = 0.95
_ASSUMED_FPS: Final = 25.0
_FIRST_PAUSE_S: Final = 0.5
_WAIT_S: Final = 0.2  # Windows hears Ctrl-C only between waits

Kind = Literal["photos", "video", "live"]
Connect = Callable[[], cv2.VideoCapture]


class Source(ABC):
    """Frames to iterate over; made by `mien.vision.source.open_source`.

    It holds a device or a file: use it in a ``with`` block, or close it. Closing from another
    thread ends an iteration that is under way.

    Args:
        name: the path or address; an empty string for pixels.
        kind: ``photos``; ``video``, of which every frame comes in order, and which is also what a
            list, folder or pattern with a video in it is; or ``live``, which gives the newest frame
            and never lags.
        total: how many frames or photos there are, where that is known.
        fps: frames a second, as the file or the device says, where it does.

    Attributes:
        failures: what could not be read in the iteration so far, or only in part.
        dropped: frames of a live source that newer ones replaced before they were asked for.
    """

    def __init__(
        self, name: str, kind: Kind, *, total: int | None = None, fps: float | None = None
    ) -> None:
        self.name = name
        self.kind = kind
        self.total = total
        self.fps = fps
        self.failures: list[SourceError] = []
        self.dropped = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Give the Frames one by one.

        Raises:
            SourceError: if the source is a single one and nothing of it can be read.
        """

    @abstractmethod
    def close(self) -> None:
        """End the iteration and let go of the device or the file; safe to repeat."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_video(path: Path, name: str, *, max_pixels: int) -> Source:
    """Open a video file.

    Raises:
        SourceError: if it is no video that can be read, or its frames are too large.
    """
    # Absolute, or FFmpeg takes what stands before a colon for a protocol.
    address = str(path.absolute())

    def connect() -> cv2.VideoCapture:
        return cv2.VideoCapture(address, cv2.CAP_FFMPEG)

    capture = connect()
    if not capture.isOpened():
        raise SourceError(
            f"{name}: cannot be opened as a video, expected MP4, MOV, AVI, MKV, WebM or the like "
            "(a damaged or cut-off file, or another kind with a video's name?)"
        )
    _check_size(capture, name, max_pixels)
    return VideoSource(name, connect, capture)


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
    _check_size(capture, name, max_pixels)
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return VideoSource(name, connect, capture)
    lost = f"{name}: the stream broke off, and opening it again failed {retries} times in a row"
    return LiveSource(name, capture, lost=lost, connect=connect, retries=retries)


class VideoSource(Source):
    """Every frame of a video, in order; what is missing at its end is said in ``failures``."""

    def __init__(self, name: str, connect: Connect, capture: cv2.VideoCapture) -> None:
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        super().__init__(name, "video", total=int(count) if count > 0 else None, fps=_fps(capture))
        self._connect = connect
        self._capture: cv2.VideoCapture | None = capture
        self._closed = False
        self._reading = threading.Lock()  # to release a capture that is being read crashes

    def __iter__(self) -> Iterator[Frame]:
        """Give every frame; a second time from the start again."""
        self.failures.clear()
        with self._reading:
            if self._capture is None and not self._closed:
                self._capture = self._connect()
        index, seconds, step = 0, 0.0, 1 / (self.fps or _ASSUMED_FPS)
        try:
            while (read := self._read()) is not None:
                image, stamp = read
                if index == 0:
                    seconds = max(stamp, 0.0)
                else:  # stamps may be missing, or run back
                    seconds = stamp if stamp > seconds else seconds + step
                yield Frame(image, self.name, index, seconds)
                index += 1
        finally:
            self._release()
        if self._closed:
            return
        if index == 0:
            raise SourceError(f"{self.name}: a video without a frame that can be read (damaged?)")
        if self.total is not None and index < _WHOLE * self.total:
            self.failures.append(
                SourceError(
                    f"{self.name}: only {index:,} of {self.total:,} frames could be read (damaged "
                    "or cut off?); those were used"
                )
            )

    def close(self) -> None:
        """Release the file; a frame that is being read is read first."""
        self._closed = True
        self._release()

    def _read(self) -> tuple[Image, float] | None:
        with self._reading:
            if self._capture is None:
                return None
            there, image = self._capture.read()
            if not there:
                return None
            return np.asarray(image, np.uint8), self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _release(self) -> None:
        with self._reading:
            if self._capture is not None:
                self._capture.release()
                self._capture = None


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
        super().__init__(name, "live", fps=_fps(capture))
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
        """Stop the thread, which releases the device; at the latest when its silence times out."""
        self._stop.set()
        if self._thread.ident is None:
            self._capture.release()
        elif self._thread is not threading.current_thread():
            self._thread.join()

    def _next(self) -> Frame | None:
        with self._news:
            while self._newest is None and not self._ended and not self._stop.is_set():
                self._news.wait(_WAIT_S)
            frame, self._newest = self._newest, None
            return None if self._stop.is_set() else frame

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


def _fps(capture: cv2.VideoCapture) -> float | None:
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if 0 < fps <= 1000 else None  # formats without one say 0, or their clock's rate


def _check_size(capture: cv2.VideoCapture, name: str, max_pixels: int) -> None:
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > max_pixels:
        capture.release()
        raise too_large(name, width * height, max_pixels)


def too_large(name: str, pixels: int, max_pixels: int) -> SourceError:
    """Say that a picture has more pixels than are allowed."""
    return SourceError(
        f"{name}: {pixels / 1e6:,.1f} million pixels, more than the limit of "
        f"{max_pixels / 1e6:,.1f} million; raise it by --max-pixels {pixels} if the picture is "
        "meant to be that large"
    )
