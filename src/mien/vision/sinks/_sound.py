"""Keep the sound of a video file in a copy of its pictures, by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import av
from av.audio.resampler import AudioResampler

from mien.errors import SourceError
from mien.vision.sources._video_file import plain_path

_ROUNDING_S: Final = 1e-3  # of timestamps in Matroska

# By container: codecs that are copied, since players expect them in it; the one for others, and
# its sample rate.
_KEPT: Final = {
    "mp4": (frozenset({"aac", "mp3", "opus"}), "aac", 48_000),
    "mov": (frozenset({"aac", "mp3"}), "aac", 48_000),
    "matroska": (frozenset({"aac", "mp3", "opus", "vorbis", "flac", "ac3", "eac3"}), "aac", 48_000),
    "webm": (frozenset({"opus", "vorbis"}), "libopus", 48_000),
}


class SoundError(Exception):
    """The sound of a file cannot be read."""


class Sound:
    """The sound of a video file, which is added to a container as its pictures are.

    Args:
        path: path of the video file.
        container: container that is being written, before its first packet.
        form: name of the container's format.

    Attributes:
        start_s: time in the file from which on the sound is kept, in seconds since its video began.
        is_empty: True until a packet of the sound has been added.

    Raises:
        SoundError: if the file cannot be read, or its sound cannot be encoded.
        LookupError: if the file has no sound.
    """

    def __init__(self, path: Path, container: Any, form: str) -> None:
        self.start_s = 0.0
        self.is_empty = True
        self._container = container
        self._encoder: Any = None
        with ExitStack() as parts:
            try:
                address = parts.enter_context(plain_path(path.absolute()))
                self._source = parts.enter_context(av.open(address, metadata_errors="replace"))
                if not self._source.streams.audio:
                    raise LookupError("no sound")
                self._stream = self._source.streams.audio[0]
                self._add_output(*_KEPT[form])
            except (av.error.FFmpegError, OSError, ValueError, SourceError) as error:
                raise SoundError(str(error)) from None
            self._parts = parts.pop_all()
        self._pieces = self._read()
        self._waiting: tuple[float, Any] | None = None

    def add(self, until_s: float) -> None:
        """Add the sound up to a time of the copy, in seconds.

        Raises:
            SoundError: if it cannot be read.
            OSError: if it cannot be written.
        """
        while (piece := self._waiting or next(self._pieces, None)) is not None:
            self._waiting = None
            if piece[0] >= until_s:
                self._waiting = piece
                return
            self.is_empty = False
            if self._encoder is None:
                self._container.mux(piece[1])
            else:
                self._encode(piece[1])

    def finish(self) -> None:
        """Add what the encoder has not returned yet.

        Raises:
            OSError: if it cannot be written.
        """
        if self._encoder is not None and not self.is_empty:
            self._encode(None)
            self._container.mux(self._output.encode(None))

    def close(self) -> None:
        """Close the video file; safe to repeat."""
        self._parts.close()

    def _add_output(self, copied: frozenset[str], codec: str, rate: int) -> None:
        """Add a stream to the container: a copy, or another codec if players expect one."""
        if self._stream.codec_context.codec.canonical_name in copied:
            self._output = self._container.add_stream_from_template(self._stream)
            return
        layout = "mono" if self._stream.codec_context.channels == 1 else "stereo"
        self._output = self._container.add_stream(codec, rate=rate, layout=layout)
        self._encoder = self._output.codec_context
        self._encoder.open()
        self._resampler = AudioResampler(
            self._encoder.format, layout, rate, self._encoder.frame_size or None
        )

    def _encode(self, frame: Any) -> None:
        for resampled in self._resampler.resample(frame):
            self._container.mux(self._output.encode(resampled))

    def _read(self) -> Iterator[tuple[float, Any]]:
        """Yield the times in the copy of packets, or of decoded frames to encode, and these.

        Raises:
            SoundError: if the sound cannot be read.
        """
        video = self._source.streams.video[0]
        origin_s = float((video.start_time or 0) * (video.time_base or 0)) + self.start_s
        pieces: Iterator[Any] = (
            self._source.demux(self._stream)
            if self._encoder is None
            else self._source.decode(self._stream)
        )
        try:
            for piece in pieces:
                if piece.pts is None or piece.time_base is None:
                    continue
                seconds = float(piece.pts * piece.time_base) - origin_s
                if seconds < -_ROUNDING_S:
                    continue
                piece.pts -= round(origin_s / piece.time_base)
                if self._encoder is None:
                    piece.dts = piece.pts
                    piece.stream = self._output
                yield seconds, piece
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise SoundError(str(error)) from None
