"""Videos: every frame, in order."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from mien.errors import SourceError
from mien.types import Image
from mien.vision.sources._progress import ROUNDING_S, VideoProgress, or_infinite
from mien.vision.sources._specs import existing_file, is_path, name_of, suffix_of
from mien.vision.sources._video_file import VideoFile, open_video_file
from mien.vision.sources.base import (
    ALL_FRAMES,
    SOURCES,
    Frame,
    Kind,
    Limits,
    Opener,
    Selection,
    Source,
    Stop,
)

VIDEO_SUFFIXES: Final = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".ivf", ".m1v", ".m2t",
     ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg",
     ".mpv", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv",
     ".y4m"}
)  # fmt: skip

# Containers state a few frames more than they have, and sound may last a little longer than the
# pictures; a video that lacks no more than this is complete.
_MISSING_SHARE: Final = 0.05
_MISSING_S: Final = 0.1
_ASSUMED_FPS: Final = 25.0
_NAMELESS: Final = "the video"

Connect = Callable[[], VideoFile]


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

    def name(self, spec: object) -> str:
        """Return the path."""
        return name_of(spec)

    def open(self, spec: object, *, limits: Limits, stop: Stop) -> Source:
        """Open a video file.

        Raises:
            SourceError: if there is no such file, it is not a readable video, or its frames are too
                large.
        """
        path, _ = existing_file(spec)
        return open_video(path, self.name(spec), limits=limits, stop=stop)


def open_video(
    path: Path,
    name: str,
    *,
    limits: Limits,
    stop: Stop,
    on_close: Callable[[], None] | None = None,
) -> Source:
    """Open a local video file, whatever its suffix.

    Args:
        path: path of the file.
        name: name of the video in errors and frames; an empty string for content without a name.
        limits: limits on its frames.
        stop: condition that ends the iteration.
        on_close: function to call once the source is no longer in use, or cannot be opened.

    Raises:
        SourceError: if it is not a readable video, or its frames are too large.
    """

    def connect() -> VideoFile:
        return open_video_file(path, name or _NAMELESS, limits)

    try:
        source = VideoSource(name, connect(), connect, stop=stop, path=path)
    except BaseException:
        if on_close:
            on_close()
        raise
    if on_close:
        weakref.finalize(source, on_close)
    return source


class VideoSource(Source):
    """Every selected frame of a video, in order.

    Frames that are missing at the end are reported in ``failures``, frames of a single colour in
    ``notes``.

    Args:
        name: path or address of the video.
        video: opened video.
        connect: function that opens it once more, for a second iteration.
        stop: condition that ends the iteration.
        path: path of a local file; None for an address.

    Attributes:
        path: path of a local file; None for an address.
        selection: selected frames.
    """

    def __init__(
        self, name: str, video: VideoFile, connect: Connect, *, stop: Stop, path: Path | None = None
    ) -> None:
        super().__init__(name, "video", total=video.total, fps=video.fps)
        self.path = path
        self.selection = ALL_FRAMES
        self._shown = name or _NAMELESS
        self._stated = video.total
        self._video: VideoFile | None = video
        self._is_started = False
        self._connect = connect
        self._stop = stop
        self._reading = threading.Lock()  # a decoder crashes if it is closed during a read

    def select(self, selection: Selection) -> None:
        """Yield only the selected frames from now on (see `Source.select`)."""
        self.selection = selection
        self.total = self._stated
        if self._stated is not None and selection != ALL_FRAMES:
            fps = self.fps or _ASSUMED_FPS
            end = min(self._stated, fps * or_infinite(selection.end_s))
            frames = max(0.0, end - math.ceil(fps * selection.start_s - ROUNDING_S))
            self.total = max(1, math.ceil(frames / selection.every - ROUNDING_S))

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; a second iteration, also of a closed source, starts again."""
        self.failures.clear()
        self.notes.clear()
        with self._reading:
            if self._video is None or self._is_started:
                if self._video is not None:
                    self._video.close()
                self._video = self._connect()
            video, self._is_started = self._video, True
        progress = VideoProgress(self.name, self.selection, 1 / (self.fps or _ASSUMED_FPS))
        is_stopped = False
        try:
            with self._reading:
                if self._video is video and self.selection.start_s > 0:
                    progress.index = video.skip_to(self.selection.start_s)
            while not (is_stopped := self._stop()) and self._grab(video, progress):
                if progress.is_wanted():
                    image = self._picture(video)
                    if image is None:
                        break
                    yield progress.frame(image)
                    del image  # it would be held while the next frame is decoded
                progress.index += 1
            is_stopped |= self._video is not video  # closed meanwhile
        finally:
            self._release(video)
        if not is_stopped:
            self._check(progress)

    def close(self) -> None:
        """End the iteration and release the file, once the frame that is being read is complete."""
        if self._video is not None:
            self._release(self._video)

    def _grab(self, video: VideoFile, progress: VideoProgress) -> bool:
        """Decode the next frame; return False at the end of the video or the selected part."""
        with self._reading:
            timestamp_s = video.grab() if self._video is video else None
        return timestamp_s is not None and progress.advance(timestamp_s)

    def _picture(self, video: VideoFile) -> Image | None:
        with self._reading:
            return video.picture() if self._video is video else None

    def _release(self, video: VideoFile) -> None:
        with self._reading:
            video.close()
            if self._video is video:
                self._video = None

    def _check(self, progress: VideoProgress) -> None:
        """Raise a SourceError if no frame was read; report missing frames and blank ones."""
        index, name = progress.index, self._shown
        if progress.count == 0:
            raise SourceError(f"{name}: {self._nothing(progress)}")
        stated = self._stated or 0
        missing = max(_MISSING_SHARE * stated, _MISSING_S * (self.fps or _ASSUMED_FPS))
        if not progress.is_past_end and stated - index > missing:
            self.failures.append(
                SourceError(
                    f"{name}: only {index:,} of {stated:,} frames could be read (is the file "
                    "damaged or cut off?); those were used"
                )
            )
        if progress.blank:
            self.notes.append(
                f"{name}: {progress.blank:,} of {progress.count:,} frames are of a single colour, "
                "such as black"
            )

    def _nothing(self, progress: VideoProgress) -> str:
        """Return why a video yielded no frame."""
        start_s, end_s = self.selection.start_s, self.selection.end_s
        if progress.is_past_end:
            return f"no frame from {start_s:g} s to {end_s:g} s; select a longer part"
        if progress.index:
            return f"no frame from {start_s:g} s on; the video ends at {progress.length_s:.1f} s"
        return "no frame of the video can be read (is it damaged?)"
