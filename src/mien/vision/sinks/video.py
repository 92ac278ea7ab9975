"""Readings to an annotated video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.errors import MienError
from mien.types import Image
from mien.vision.reading import Frame, Reading
from mien.vision.sinks.draw import draw_readings
from mien.vision.sinks.write import Target, Writer

VIDEO_SUFFIXES: Final = (".mp4", ".avi")

_CODECS: Final = dict(zip(VIDEO_SUFFIXES, ("mp4v", "MJPG"), strict=True))
_SLOWEST_FPS, _FASTEST_FPS, _USUAL_FPS = 1.0, 240.0, 30.0
_LEAST_SIDE_PX, _MOST_SIDE_PX = 2, 8190  # MPEG-4's own limits
_LONGEST_PAUSE_S: Final = 60.0  # a longer one is a clock that was set, or hours of the same picture
_SET_BACK_S: Final = 1.0


class VideoWriter(Writer):
    """An annotated video, as long as what it shows took.

    Its frame rate is constant: frames are repeated or left out so that each is shown at its own
    `Frame.seconds`. A pause of more than a minute is left out.

    Args:
        path: of the file, which is replaced: .mp4 (MPEG-4) or .avi (Motion JPEG).
        fps: frames a second; 30 where this is none that can be used (not from 1 to 240).
        size: width, height in pixels; None for the first frame's. Pictures of another size are
            fitted in.

    Raises:
        MienError: if it cannot be written, at that size or at all.
    """

    def __init__(self, path: str | Path, fps: float, size: tuple[int, int] | None = None) -> None:
        super().__init__()
        suffix = Path(path).suffix.lower()
        if suffix not in VIDEO_SUFFIXES:
            raise MienError(f"{path}: cannot save this kind of video, expected .mp4 or .avi")
        self._fps = fps if _SLOWEST_FPS <= fps <= _FASTEST_FPS else _USUAL_FPS
        self._size: tuple[int, int] | None = None
        self._target = Target(path)
        self._video = cv2.VideoWriter()
        self._written = 0
        self._shown: Image | None = None
        self._source = ""
        self._start = self._last = 0.0
        if size:
            self._open(size)

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Show a frame from its time on."""
        height, width = frame.image.shape[:2]
        size = self._size or self._open((width, height))
        with self._target.adding(frame):
            slot = self._slot(frame)
            if slot < self._written:
                return
            if self._shown is not None:
                for _ in range(slot - self._written):
                    self._video.write(self._shown)
            self._shown = _fit(draw_readings(frame.image, readings), size)
            self._video.write(self._shown)
            self._written = slot + 1

    def close(self) -> None:
        """Give the file its name."""
        self.saved += self._target.close()

    def _open(self, size: tuple[int, int]) -> tuple[int, int]:
        codec = cv2.VideoWriter.fourcc(*_CODECS[self._target.path.suffix.lower()])
        fits = all(_LEAST_SIDE_PX <= side <= _MOST_SIDE_PX for side in size)
        if not fits or not self._video.open(str(self._target.temporary), codec, self._fps, size):
            self._target.close()
            raise MienError(
                f"{self._target.path}: a video of {size[0]}x{size[1]} pixels cannot be written, "
                f"expected {_LEAST_SIDE_PX} to {_MOST_SIDE_PX} each way"
            )
        self._size = size
        self._target.parts.callback(self._check)
        self._target.parts.callback(self._video.release)
        return size

    def _slot(self, frame: Frame) -> int:
        """Return at which of the video's frames this one is due."""
        if frame.seconds is None:
            return self._written
        step = frame.seconds - self._last
        continues = self._shown is not None and frame.source == self._source
        if not continues or not -_SET_BACK_S <= step <= _LONGEST_PAUSE_S:
            self._start = frame.seconds - self._written / self._fps
        self._last, self._source = frame.seconds, frame.source
        return round((frame.seconds - self._start) * self._fps)

    def _check(self) -> None:
        """Raise if frames are missing: OpenCV tells of no write that fails."""
        if not self._written:
            return
        video = cv2.VideoCapture(str(self._target.temporary))
        frames = video.get(cv2.CAP_PROP_FRAME_COUNT)
        video.release()
        if frames < self._written:
            raise MienError(f"{self._target.path}: cannot be written; is the disk full?")


def _fit(picture: Image, size: tuple[int, int]) -> Image:
    """Return a picture in a size, black beside it where its shape is another."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        picture, inner, interpolation=cv2.INTER_AREA
    )
    return canvas
