"""A sink that writes readings as an annotated video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import cv2
import numpy as np

from mien.errors import MienError
from mien.types import Image
from mien.vision.reading import Reading
from mien.vision.sinks._drawing import draw_readings
from mien.vision.sinks._video_writer import (
    VIDEO_SUFFIXES,
    Size,
    VideoWriter,
    check_format,
    open_writer,
)
from mien.vision.sinks.base import SINKS, Sink, SinkContext
from mien.vision.sources import Frame, expected_kind
from mien.vision.sources.video import VideoSource
from mien.vision.target import AtomicTarget

_MIN_FPS, _MAX_FPS, _DEFAULT_FPS = 1.0, 240.0, 30.0
_MIN_SIDE_PX, _MAX_SIDE_PX = 2, 8190  # limits of MPEG-4; those of H.264 and VP9 are higher
_MAX_PAUSE_S: Final = 60.0  # longer: the clock was set, or the picture stood still for minutes
_MAX_SETBACK_S: Final = 1.0


@SINKS.register("video")
class VideoSink(Sink):
    """An annotated video that lasts as long as its source.

    Its frame rate is constant: frames are repeated or left out, so that each is shown at its own
    `Frame.seconds`. A pause of more than a minute is left out.

    With PyAV (``pip install 'mien[video]'``), .mp4, .mov and .mkv are H.264, and .webm is VP9: all
    but .mkv play in browsers. The sound of a single video file is kept: copied if it is AAC, MP3 or
    Opus (Opus or Vorbis in .webm), else encoded as AAC (Opus). Without PyAV, .mp4 is MPEG-4 without
    sound. An .avi is Motion JPEG without sound.

    Args:
        path: path of the file, which is replaced: .mp4, .webm, .mov, .mkv or .avi.
        fps: frames per second; replaced by 30 if it is not from 1 to 240.
        size: width and height in pixels; None for those of the first frame. Pictures of another
            size are scaled to fit.
        sound: video file whose sound is kept, from the time of the first frame on; None for none.

    Raises:
        MienError: if the file cannot be written, or not in that size.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float = _DEFAULT_FPS,
        size: Size | None = None,
        *,
        sound: Path | None = None,
    ) -> None:
        super().__init__()
        check_format(path)
        self._fps = fps if _MIN_FPS <= fps <= _MAX_FPS else _DEFAULT_FPS
        self._size: Size | None = None
        self._sound = sound
        self._target = AtomicTarget(path)
        self._video: VideoWriter | None = None
        self._written = 0
        self._shown: Image | None = None
        self._source = ""
        self._start_s = self._last_s = 0.0
        if size:
            self._open(size)

    @classmethod
    def open(cls, target: str, context: SinkContext) -> Self:
        """Return a sink that writes the file `target` (see `Sink.open`)."""
        source = context.source
        if len(source.names) > 1 and Path(target).suffix.lower() not in VIDEO_SUFFIXES:
            first = next((name for name in source.names if expected_kind(name) != "photos"), "")
            raise MienError(
                f"{target}: the sources contain a video or a stream ({first}); name an .mp4, "
                f".webm or .avi file for one video of all, or give photos only"
            )
        cameras = [name for name in source.names if expected_kind(name) == "live"]
        if len(cameras) > 1:
            raise MienError(
                f"{target}: one video cannot show several cameras ({', '.join(cameras)}); save "
                "each with a command of its own, or write the readings with --csv or --jsonl"
            )
        sound = source.path if isinstance(source, VideoSource) else None
        return cls(target, source.fps or _DEFAULT_FPS, sound=sound)

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Show a frame from its time on (see `Sink.add`)."""
        height, width = frame.image.shape[:2]
        video = self._video or self._open((width, height))
        with self._target.adding(frame):
            slot = self._slot(frame)
            if slot < self._written:
                return
            if self._shown is None:
                video.begin_sound(frame.seconds or 0.0)
            elif slot > self._written:
                video.write(self._shown, times=slot - self._written)
            self._shown = _fit(draw_readings(frame.image, readings), self._size or (width, height))
            video.write(self._shown)
            self._written = slot + 1

    def close(self) -> None:
        """Give the file its name (see `Sink.close`)."""
        self.saved += self._target.close()

    def _open(self, size: Size) -> VideoWriter:
        """Open the video for frames of a size."""
        try:
            if not all(_MIN_SIDE_PX <= side <= _MAX_SIDE_PX for side in size):
                raise OSError("too small or too large")
            video = open_writer(self._target.temporary, self._fps, size, sound=self._sound)
        except OSError:
            self._target.close()
            raise MienError(
                f"{self._target.path}: a video of {size[0]}x{size[1]} pixels cannot be written, "
                f"expected {_MIN_SIDE_PX} to {_MAX_SIDE_PX} each way"
            ) from None
        self._video, self._size = video, size
        self._target.before_renaming(self._take_notes)
        self._target.on_close(video.close)
        self._target.before_renaming(video.finish)
        return video

    def _take_notes(self) -> None:
        if self._video is not None:
            self.notes += [f"{self._target.path}: {note}" for note in self._video.notes]

    def _slot(self, frame: Frame) -> int:
        """Return the number of the video's frame at which a frame is due."""
        if frame.seconds is None:
            return self._written
        step_s = frame.seconds - self._last_s
        continues = self._shown is not None and frame.source == self._source
        if not continues or not -_MAX_SETBACK_S <= step_s <= _MAX_PAUSE_S:
            if self._video is not None and self._shown is not None:
                self._video.end_sound()
            self._start_s = frame.seconds - self._written / self._fps
        self._last_s, self._source = frame.seconds, frame.source
        return round((frame.seconds - self._start_s) * self._fps)


def _fit(picture: Image, size: Size) -> Image:
    """Return a picture scaled to fit a size, with black bars if its aspect ratio differs."""
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
