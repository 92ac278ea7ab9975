"""Open and read OpenCV's video captures without messages on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mien.errors import SourceError
from mien.images.decode import quiet_opencv
from mien.types import Image
from mien.vision.quiet import quiet_video
from mien.vision.sources.base import Limits


def open_capture(address: str, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """Return a capture of a video file or an address, by FFmpeg; it may not have been opened.

    Args:
        address: absolute path or address of the video.
        options: OpenCV's property numbers, each followed by its value.
    """
    with quiet_video():
        return cv2.VideoCapture(address, cv2.CAP_FFMPEG, options)


def read_frame(capture: cv2.VideoCapture) -> Image | None:
    """Return the next frame of a capture; None at the end, or if it cannot be read."""
    with quiet_opencv:
        is_read, image = capture.read()
    return np.asarray(image, np.uint8) if is_read else None


def frame_rate(capture: cv2.VideoCapture) -> float | None:
    """Return the frames per second that a file or a device states; None if there is none."""
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if 0 < fps <= 1000 else None  # formats without a rate state 0 or their clock's rate


def check_frame_size(capture: cv2.VideoCapture, name: str, limits: Limits) -> None:
    """Raise a SourceError if a video's frames are too large, and release its capture.

    Raises:
        SourceError: if a frame has more pixels than the limit.
    """
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    try:
        limits.check_pixels(name, width * height)
    except SourceError:
        capture.release()
        raise
