"""Videos as Sources: every frame, in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.errors import SourceError
from mien.types import Image
from mien.vision.reading import Frame, Source
from mien.vision.sources.photo import too_large

VIDEO_SUFFIXES: Final = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg",
     ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)  # fmt: skip

# FFmpeg would print its own notes on top of the one clear line that we give; it looks here once.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# Containers promise a few frames more than they have; from this share on one is taken for whole.
_WHOLE: Final = 0.95
_ASSUMED_FPS: Final = 25.0

Connect = Callable[[], cv2.VideoCapture]


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
    check_size(capture, name, max_pixels)
    return VideoSource(name, connect, capture)


class VideoSource(Source):
    """Every frame of a video, in order; what is missing at its end is said in ``failures``."""

    def __init__(self, name: str, connect: Connect, capture: cv2.VideoCapture) -> None:
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        super().__init__(
            name, "video", total=int(count) if count > 0 else None, fps=rate_of(capture)
        )
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


def rate_of(capture: cv2.VideoCapture) -> float | None:
    """Return the frames a second that a file or a device says it has, where it does."""
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if 0 < fps <= 1000 else None  # formats without one say 0, or their clock's rate


def check_size(capture: cv2.VideoCapture, name: str, max_pixels: int) -> None:
    """Raise a SourceError if frames have more pixels than are allowed."""
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > max_pixels:
        capture.release()
        raise too_large(name, width * height, max_pixels)
