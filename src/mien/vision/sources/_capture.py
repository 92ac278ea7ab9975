"""Open and read OpenCV's video captures without messages on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mien.errors import SourceError
from mien.images.decode import quiet_opencv
from mien.types import Image
from mien.vision.quiet import quiet_video
from mien.vision.sources._display import TURNS, Display, pixel_aspect
from mien.vision.sources._interlaced import is_affected, may_be_interlaced
from mien.vision.sources._mp4 import Mp4, read_mp4
from mien.vision.sources._video_file import MAX_FPS, VideoFile, no_video, plain_path
from mien.vision.sources.base import Limits


def open_capture(address: str, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """Return a capture of a video file or an address, by FFmpeg; it may not have been opened.

    Args:
        address: absolute path or address of the video.
        options: OpenCV's property numbers, each followed by its value.
    """
    with quiet_video():
        return cv2.VideoCapture(address, cv2.CAP_FFMPEG, options)


def frame_rate(capture: cv2.VideoCapture) -> float | None:
    """Return the frames per second that a file or a device states; None if there is none."""
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if 0 < fps <= MAX_FPS else None


class CaptureFile(VideoFile):
    """A video that is decoded by OpenCV.

    Args:
        capture: opened capture.
        name: name of the video in errors.
        limits: limits on its frames.
        container: what the file's header says, for an MP4 or QuickTime file.

    Raises:
        SourceError: if its frames are too large; the capture is then released.
    """

    def __init__(
        self, capture: cv2.VideoCapture, name: str, limits: Limits, container: Mp4 | None = None
    ) -> None:
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        super().__init__(total=int(count) if count > 0 else None, fps=frame_rate(capture))
        self._capture, self._name, self._limits = capture, name, limits
        aspect = pixel_aspect(capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN))
        turn = TURNS.get(round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360, TURNS[0])
        self._display = Display(aspect, container.matrix if container else turn)
        with quiet_opencv:
            capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # it does not know mirrored videos
        try:
            self._check_size(
                int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
                int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            )
        except SourceError:
            capture.release()
            raise

    def grab(self) -> float | None:
        """Decode the next frame (see `VideoFile.grab`)."""
        with quiet_opencv:
            is_grabbed = self._capture.grab()
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 if is_grabbed else None

    def picture(self) -> Image | None:
        """Return the pixels of the frame that was grabbed (see `VideoFile.picture`)."""
        with quiet_opencv:
            is_read, image = self._capture.retrieve()
        if not is_read:
            return None
        self._check_size(image.shape[1], image.shape[0])
        return self._display.show(np.asarray(image, np.uint8))

    def close(self) -> None:
        """Release the capture."""
        self._capture.release()

    def _check_size(self, width: int, height: int) -> None:
        self._limits.check_pixels(self._name, self._display.width_px(width) * height)


def open_capture_file(path: Path, name: str, limits: Limits) -> CaptureFile:
    """Open a local video file by OpenCV.

    Args:
        path: absolute path of the file.
        name: name of the file in errors.
        limits: limits on its frames.

    Raises:
        SourceError: if it is not a readable video, its frames are too large, or OpenCV would not
            return the frames of the video.
    """
    container = read_mp4(path)
    if container and not container.has_video:
        raise SourceError(f"{name}: the file contains no pictures, expected a video")
    with plain_path(path) as address:
        capture = open_capture(address)
        if not capture.isOpened():
            raise no_video(path, name)
        if is_affected() and may_be_interlaced(open_capture, address, capture):
            capture.release()
            raise interlaced(name)
    return CaptureFile(capture, name, limits, container)


def interlaced(name: str) -> SourceError:
    """Return the error for a video that OpenCV would return as black frames."""
    return SourceError(
        f"{name}: an interlaced video, which OpenCV {cv2.__version__} cannot decode; install PyAV "
        "for it (pip install 'mien[video]')"
    )
