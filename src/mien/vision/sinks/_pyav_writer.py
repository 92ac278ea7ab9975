"""Write videos that play in browsers, with the sound of their source, by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from mien.types import Image
from mien.vision.sinks._sound import Sound, SoundError
from mien.vision.sinks._video_writer import Size, VideoWriter
from mien.vision.sources._video_file import plain_path

_MATRIX: Final = 6  # of BT.601, in FFmpeg's numbers and those of ITU-T H.273
_LIMITED: Final = 1  # range of its values


class _Encoder(NamedTuple):
    """A video encoder of FFmpeg, and its options."""

    name: str
    options: dict[str, str] = {}


class _Format(NamedTuple):
    """A container, and the encoders that are tried for it."""

    name: str
    encoders: tuple[_Encoder, ...]
    options: dict[str, str] = {}


_H264: Final = (
    # The fastest preset: faces are read on the same cores. Its files are smaller than MPEG-4's.
    _Encoder("libx264", {"preset": "ultrafast", "crf": "21"}),
    _Encoder("libopenh264"),
    _Encoder("h264_videotoolbox"),
    _Encoder("h264_mf"),
)
_OLD: Final = _Encoder("mpeg4", {"b": "8M"})
_VP9: Final = _Encoder(
    "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "34", "b:v": "0"}
)
_FAST_START: Final = {"movflags": "+faststart"}  # a browser plays it before all has arrived
_FORMATS: Final = {
    ".mp4": _Format("mp4", (*_H264, _OLD), _FAST_START),
    ".mov": _Format("mov", (*_H264, _OLD), _FAST_START),
    ".mkv": _Format("matroska", (*_H264, _OLD)),
    ".webm": _Format("webm", (_VP9, _Encoder("libvpx", {"deadline": "realtime", "cpu-used": "8"}))),
}


class PyAvWriter(VideoWriter):
    """A video file that PyAV writes: H.264 in MP4, QuickTime or Matroska, or VP9 in WebM.

    A row or a column is added to pictures of odd sizes, which these codecs do not have.

    Args:
        path: path of the file, whose suffix decides on the format.
        fps: frames per second.
        size: width and height of the pictures.
        sound: video file whose sound is kept; None for none.

    Raises:
        OSError: if a video of that size cannot be written there.
    """

    def __init__(self, path: Path, fps: float, size: Size, *, sound: Path | None) -> None:
        super().__init__()
        form = _FORMATS[path.suffix.lower()]
        width, height = size[0] + size[0] % 2, size[1] + size[1] % 2
        rate = Fraction(fps).limit_denominator(1001)
        encoder = _working(form.encoders, width, height, rate)
        if encoder is _OLD:
            self.notes.append("written as MPEG-4, which browsers may not play")
        self._padding = (width - size[0], height - size[1])
        self._step, self._written = 1 / rate, 0
        self._reformatter = VideoReformatter()
        with ExitStack() as parts:
            address = parts.enter_context(plain_path(path.absolute()))
            container = av.open(address, "w", format=form.name, options=form.options)
            parts.callback(_close_quietly, container)
            self._container = container
            self._stream: Any = container.add_stream(encoder.name, rate, encoder.options)
            _set_up(self._stream.codec_context, width, height)
            self._sound: Sound | None = None
            if sound is not None:
                self._open_sound(sound, form.name, parts)
            self._parts = parts.pop_all()

    def write(self, picture: Image, *, times: int = 1) -> None:
        """Add a picture (see `VideoWriter.write`)."""
        right, bottom = self._padding
        if right or bottom:
            padded = cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            picture = np.asarray(padded, np.uint8)
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(picture, format="bgr24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
        )
        frame.time_base = self._step
        with _raising_os_errors():
            for _ in range(times):
                frame.pts = self._written
                self._container.mux(self._stream.encode(frame))
                self._written += 1
            self._add_sound()

    def begin_sound(self, seconds: float) -> None:
        """Keep the sound from a time of the source on (see `VideoWriter.begin_sound`)."""
        if self._sound is not None:
            self._sound.start_s = seconds

    def end_sound(self) -> None:
        """Leave out the rest of the sound (see `VideoWriter.end_sound`)."""
        if self._sound is not None:
            self._lose_sound("pictures of the video were left out")

    def finish(self) -> None:
        """Complete the file (see `VideoWriter.finish`)."""
        with _raising_os_errors():
            self._container.mux(self._stream.encode())
            if self._sound is not None:
                self._sound.finish()
            self._container.close()

    def close(self) -> None:
        """Release the file, complete or not."""
        self._parts.close()

    def _add_sound(self) -> None:
        if self._sound is None:
            return
        try:
            self._sound.add(float(self._written * self._step))
        except SoundError as error:
            self._lose_sound(error)

    def _open_sound(self, path: Path, form: str, parts: ExitStack) -> None:
        try:
            self._sound = Sound(path, self._container, form)
        except SoundError as error:
            self._lose_sound(error)
        except LookupError:
            return
        else:
            parts.callback(self._sound.close)

    def _lose_sound(self, reason: object) -> None:
        is_rest = self._sound is not None and not self._sound.is_empty
        part = "the rest of the sound" if is_rest else "the sound"
        self.notes.append(f"{part} could not be kept ({reason})")
        self._sound = None


def _working(encoders: tuple[_Encoder, ...], width: int, height: int, rate: Fraction) -> _Encoder:
    """Return the first encoder that this FFmpeg has, and that takes pictures of a size.

    Raises:
        OSError: if there is none.
    """
    for encoder in encoders:
        try:
            context = av.CodecContext.create(encoder.name, "w")
            _set_up(context, width, height)
            context.time_base = 1 / rate
            context.options = encoder.options
            context.open()
        except (av.error.FFmpegError, ValueError):
            continue
        return encoder
    raise OSError("no encoder of PyAV takes this size")


def _set_up(context: Any, width: int, height: int) -> None:
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.colorspace, context.color_range = _MATRIX, _LIMITED


@contextmanager
def _raising_os_errors() -> Iterator[None]:
    """Raise all errors of FFmpeg in this block as OSErrors, which only some of them are."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error


def _close_quietly(container: Any) -> None:
    with suppress(av.error.FFmpegError, OSError):
        container.close()
