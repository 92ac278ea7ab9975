"""Write pictures of one size into a video file, by PyAV if it is installed, else by OpenCV."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import cv2

from mien.errors import MienError
from mien.images.decode import quiet_opencv
from mien.types import Image
from mien.vision.quiet import quiet_video
from mien.vision.sources._video_file import plain_path

Size = tuple[int, int]  # width, height, in pixels

VIDEO_SUFFIXES: Final = (".mp4", ".webm", ".mov", ".mkv", ".avi")

_OPENCV_CODECS: Final = {".mp4": "mp4v", ".avi": "MJPG"}


class VideoWriter(ABC):
    """A video file that is being written.

    Attributes:
        notes: warnings about the file for its user, one line each.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []

    @abstractmethod
    def write(self, picture: Image, *, times: int = 1) -> None:
        """Add a picture, as one frame or several.

        Raises:
            OSError: if the file cannot be written.

        Shape: uint8 (height, width, 3), blue-green-red.
        """

    def begin_sound(self, seconds: float) -> None:  # noqa: B027 - only some writers keep sound
        """Set the time in the source of the first frame, from which on its sound is kept."""

    def end_sound(self) -> None:  # noqa: B027
        """Leave out the sound from here on, because pictures of the source were left out."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the file.

        Raises:
            OSError: if it cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the file, complete or not; safe to repeat."""


class OpenCvWriter(VideoWriter):
    """A video file that OpenCV writes, without sound.

    Args:
        path: path of the file, whose suffix decides on the codec: .mp4 or .avi.
        fps: frames per second.
        size: width and height of the pictures.

    Raises:
        OSError: if a video of that size cannot be written there.
    """

    def __init__(self, path: Path, fps: float, size: Size) -> None:
        super().__init__()
        codec = cv2.VideoWriter.fourcc(*_OPENCV_CODECS[path.suffix.lower()])
        self._parts = ExitStack()
        self._address = self._parts.enter_context(plain_path(path.absolute()))
        self._written = 0
        with quiet_video():
            self._video = cv2.VideoWriter(self._address, cv2.CAP_FFMPEG, codec, fps, size)
        if not self._video.isOpened():
            self._parts.close()
            raise OSError(errno.EIO, "OpenCV cannot open it")

    def write(self, picture: Image, *, times: int = 1) -> None:
        """Add a picture (see `VideoWriter.write`)."""
        with quiet_opencv:
            for _ in range(times):
                self._video.write(picture)
        self._written += times

    def finish(self) -> None:
        """Complete the file, and check its length: OpenCV reports no failed write."""
        self._video.release()
        with quiet_video():
            video = cv2.VideoCapture(self._address, cv2.CAP_FFMPEG)
        frames = video.get(cv2.CAP_PROP_FRAME_COUNT)
        video.release()
        if frames < self._written:
            raise OSError(errno.EIO, "frames are missing; is the disk full?")

    def close(self) -> None:
        """Release the file."""
        self._video.release()
        self._parts.close()


def open_writer(path: Path, fps: float, size: Size, *, sound: Path | None) -> VideoWriter:
    """Open a video file for pictures of a size.

    Args:
        path: path of the file, whose suffix decides on its format.
        fps: frames per second.
        size: width and height of the pictures.
        sound: video file whose sound is kept, where the format has sound; None for none.

    Raises:
        OSError: if a video of that size cannot be written there.
    """
    if path.suffix.lower() == ".avi":
        return OpenCvWriter(path, fps, size)
    try:
        import av  # noqa: F401 - told here, even if the module below was imported before

        from mien.vision.sinks._pyav_writer import PyAvWriter
    except ImportError:
        writer = OpenCvWriter(path, fps, size)
        writer.notes.append(
            "written as MPEG-4 without sound, which browsers may not play; for H.264 and sound "
            "install PyAV (pip install 'mien[video]')"
        )
        return writer
    return PyAvWriter(path, fps, size, sound=sound)


def check_format(path: str | Path) -> None:
    """Raise a MienError if no installed package writes videos of a file's format.

    Raises:
        MienError: if the suffix is unknown, or only PyAV writes it.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        raise MienError(
            f"{path}: cannot save this kind of video, expected .mp4, .webm, .mov, .mkv or .avi"
        )
    if suffix not in _OPENCV_CODECS:
        try:
            import av  # noqa: F401
        except ImportError:
            raise MienError(
                f"{path}: {suffix} needs PyAV (pip install 'mien[video]'); without it, expected "
                ".mp4 or .avi"
            ) from None
