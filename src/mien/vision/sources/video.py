"""Videos: every frame, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final

import cv2

from mien.errors import SourceError
from mien.types import Image
from mien.vision.sources._capture import check_frame_size, frame_rate, open_capture, read_frame
from mien.vision.sources._specs import existing_file, is_path, suffix_of
from mien.vision.sources.base import SOURCES, Frame, Kind, Limits, Opener, Source, Stop

VIDEO_SUFFIXES: Final = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg",
     ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)  # fmt: skip

# Containers state a few frames more than they have; a video with this share of them is complete.
_WHOLE: Final = 0.95
_ASSUMED_FPS: Final = 25.0

Connect = Callable[[], cv2.VideoCapture]


@SOURCES.register("video")
class VideoOpener(Opener):
    """Opens video files."""

    suffixes = VIDEO_SUFFIXES

    def opens(self, spec: object) -> bool:
        """Return whether a spec is a path with the suffix of a video."""
        return is_path(spec) and suffix_of(spec) in VIDEO_SUFFIXES

    def kind(self, spec: object) -> Kind:
        """Return ``video``."""
        return "video"

    def open(self, spec: object, *, limits: Limits, stop: Stop) -> Source:
        """Open a video file.

        Raises:
            SourceError: if there is no such file, it is not a readable video, or its frames are too
                large.
        """
        path, _ = existing_file(spec)
        # FFmpeg would take the part of a relative path before a colon for a protocol.
        address = str(path.absolute())
        capture = open_capture(address)
        if not capture.isOpened():
            raise SourceError(
                f"{spec}: cannot be opened as a video, expected MP4, MOV, AVI, MKV, WebM or "
                f"similar (is the file damaged, cut off, or of another format than its name says?)"
            )
        check_frame_size(capture, str(spec), limits)
        return VideoSource(str(spec), capture, lambda: open_capture(address), stop=stop)


class VideoSource(Source):
    """Every frame of a video, in order.

    Frames that are missing at the end are reported in ``failures``.

    Args:
        name: path or address of the video.
        capture: opened capture of the video.
        connect: function that opens it once more, for a second iteration.
        stop: condition that ends the iteration.
    """

    def __init__(
        self, name: str, capture: cv2.VideoCapture, connect: Connect, *, stop: Stop
    ) -> None:
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        total = int(count) if count > 0 else None
        super().__init__(name, "video", total=total, fps=frame_rate(capture))
        self._capture: cv2.VideoCapture | None = capture
        self._connect = connect
        self._stop = stop
        self._is_closed = False
        self._reading = threading.Lock()  # OpenCV crashes if a capture is released during a read

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame; a second iteration starts again from the first frame."""
        self.failures.clear()
        with self._reading:
            if self._capture is None and not self._is_closed:
                self._capture = self._connect()
        index, seconds, step_s = 0, 0.0, 1 / (self.fps or _ASSUMED_FPS)
        is_stopped = False
        try:
            while not (is_stopped := self._stop()) and (read := self._read()) is not None:
                image, timestamp_s = read
                if index == 0:
                    seconds = max(timestamp_s, 0.0)
                else:  # timestamps may be missing or run backwards
                    seconds = timestamp_s if timestamp_s > seconds else seconds + step_s
                yield Frame(image, self.name, index, seconds)
                index += 1
        finally:
            self._release()
        if not (self._is_closed or is_stopped):
            self._check_count(index)

    def close(self) -> None:
        """Release the file, once the frame that is being read is complete."""
        self._is_closed = True
        self._release()

    def _check_count(self, count: int) -> None:
        """Raise a SourceError if a video had no frame; report a video that had too few."""
        if count == 0:
            raise SourceError(f"{self.name}: no frame of the video can be read (is it damaged?)")
        if self.total is not None and count < _WHOLE * self.total:
            self.failures.append(
                SourceError(
                    f"{self.name}: only {count:,} of {self.total:,} frames could be read (is the "
                    "file damaged or cut off?); those were used"
                )
            )

    def _read(self) -> tuple[Image, float] | None:
        """Return the next frame and its timestamp in seconds; None at the end."""
        with self._reading:
            if self._capture is None:
                return None
            image = read_frame(self._capture)
            if image is None:
                return None
            return image, self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _release(self) -> None:
        with self._reading:
            if self._capture is not None:
                self._capture.release()
                self._capture = None
