"""Decode video files by PyAV, an optional package with FFmpeg's libraries."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from mien.errors import SourceError
from mien.types import Image
from mien.vision.sources._display import IDENTITY, Display, Matrix, pixel_aspect
from mien.vision.sources._video_file import MAX_FPS, VideoFile, no_video, plain_path
from mien.vision.sources.base import Limits

# Containers and codecs in which each packet is one frame and key frames are marked rightly.
_INDEXED_FORMATS: Final = ("mov", "matroska")
_INDEXED_CODECS: Final = frozenset({"av1", "h264", "hevc", "mpeg4", "vp9"})
_MAX_DAMAGED: Final = 512  # packets in a row


class PyAvFile(VideoFile):
    """A video file that is decoded by PyAV.

    Args:
        path: absolute path of the file.
        name: name of the file in errors.
        limits: limits on its frames.

    Raises:
        SourceError: if it is not a readable video, or its frames are too large.
    """

    _frames: Iterator[VideoFrame]

    def __init__(self, path: Path, name: str, limits: Limits) -> None:
        self._path, self._name, self._limits = path, name, limits
        self._open()
        stream = self._stream
        rate = float(stream.guessed_rate or stream.average_rate or 0)
        fps = rate if 0 < rate <= MAX_FPS else None
        total = stream.frames
        if not total and fps and (duration_s := self._duration_s()):
            total = round(duration_s * fps)
        super().__init__(total=total or None, fps=fps)
        self._reformatter = VideoReformatter()
        self._display: Display | None = None  # known with the first frame
        self._frame: VideoFrame | None = None

    def grab(self) -> float | None:
        """Decode the next frame (see `VideoFile.grab`)."""
        self._frame = next(self._frames, None)
        if self._frame is None:
            return None
        stamp = self._frame.pts if self._frame.pts is not None else self._frame.dts
        if stamp is None or self._stream.time_base is None:
            return 0.0
        return float((stamp - (self._stream.start_time or 0)) * self._stream.time_base)

    def picture(self) -> Image | None:
        """Return the pixels of the frame that was grabbed (see `VideoFile.picture`)."""
        frame, self._frame = self._frame, None
        if frame is None:
            return None
        if self._display is None:
            self._display = Display(self._pixel_aspect(), _matrix(frame))
        width = self._display.width_px(frame.width)
        self._limits.check_pixels(self._name, width * frame.height)
        try:
            converted = self._reformatter.reformat(frame, format="bgr24")
        except av.error.FFmpegError:
            return None
        return self._display.show(_pixels(converted))

    def skip_to(self, seconds: float) -> int:
        """Move to the last key frame before a time (see `VideoFile.skip_to`).

        The packets up to it are counted and not decoded, so that frames keep their numbers.
        """
        stream = self._stream
        formats = self._container.format.name.split(",")
        is_indexed = stream.codec_context.codec.canonical_name in _INDEXED_CODECS and any(
            name in formats for name in _INDEXED_FORMATS
        )
        if not is_indexed or stream.time_base is None:
            return 0
        target = (stream.start_time or 0) + int(seconds / stream.time_base)
        try:
            key, count = self._key_before(target)
            if count:
                self._container.seek(key, stream=stream)
                first = next(self._frames, None)
                while first is not None and (first.pts is None or first.pts < key):
                    first = next(self._frames, None)  # needs frames before the key frame
                if first is not None and first.pts == key:
                    self._frames = _with_first(first, self._frames)
                    return count
        except av.error.FFmpegError:
            pass
        self.close()
        self._open()
        return 0

    def close(self) -> None:
        """Close the file; safe to repeat."""
        self._frame = None
        self._frames = iter(())
        self._parts.close()

    def _open(self) -> None:
        with ExitStack() as parts:
            address = parts.enter_context(plain_path(self._path))
            try:
                # Titles in other encodings than UTF-8 are of no interest here.
                container = parts.enter_context(av.open(address, metadata_errors="replace"))
            except (av.error.FFmpegError, OSError):
                raise no_video(self._path, self._name) from None
            streams = [one for one in container.streams.video if not _is_cover(one)]
            if not streams:
                what = "sound only" if container.streams.audio else "no pictures"
                raise SourceError(f"{self._name}: the file contains {what}, expected a video")
            if streams[0].codec_context is None:
                raise SourceError(
                    f"{self._name}: a video of a codec that FFmpeg does not know; convert it to MP4"
                )
            self._container, self._stream = container, streams[0]
            self._limits.check_pixels(
                self._name,
                Display(self._pixel_aspect()).width_px(self._stream.width) * self._stream.height,
            )
            self._stream.thread_type = "AUTO"
            self._frames = self._decode()
            self._parts = parts.pop_all()

    def _decode(self) -> Iterator[VideoFrame]:
        """Yield the decoded frames; damaged packets are passed over, as FFmpeg does."""
        damaged = 0
        packets = self._container.demux(self._stream)
        while damaged < _MAX_DAMAGED:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError, OSError):
                return
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, OSError):
                damaged += 1
                continue
            for frame in frames:
                damaged = 0
                if isinstance(frame, VideoFrame):
                    yield frame

    def _key_before(self, target: int) -> tuple[int, int]:
        """Return the timestamp of the last key frame up to a time, and the number of frames before.

        Args:
            target: time, in the time base of the stream.
        """
        key, count, packets = 0, 0, 0
        for packet in self._container.demux(self._stream):
            if packet.pts is None or (packet.dts is not None and packet.dts > target):
                break
            if packet.is_keyframe and packet.pts <= target:
                key, count = packet.pts, packets
            elif packet.pts < key:  # shown before the key frame, and stored after it
                count += not packet.is_discard
            packets += not packet.is_discard
        return key, count

    def _pixel_aspect(self) -> float:
        ratio = self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio
        return pixel_aspect(ratio.numerator, ratio.denominator) if ratio else 1.0

    def _duration_s(self) -> float:
        if self._stream.duration and self._stream.time_base:
            return float(self._stream.duration * self._stream.time_base)
        return (self._container.duration or 0) / av.time_base


def _pixels(frame: VideoFrame) -> Image:
    """Return the pixels of a frame without a copy where its rows follow each other.

    Shape: -> uint8 (height, width, 3).
    """
    plane: Any = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    shape = (frame.height, frame.width, 3)
    return np.ascontiguousarray(rows[: frame.height, : 3 * frame.width]).reshape(shape)


def _matrix(frame: VideoFrame) -> Matrix:
    """Return the display matrix of a frame."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return IDENTITY
    # Three rows of (x, y, w), as 16.16 fixed point and 2.30 for w.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    return (a, b, c, d)


def _is_cover(stream: VideoStream) -> bool:
    """Return whether a stream is the cover picture of a sound file."""
    return bool(stream.disposition & Disposition.attached_pic)


def _with_first(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest
