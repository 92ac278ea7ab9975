"""Video files of every kind that PyAV can write, for tests of sources and sinks."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

SIZE = (96, 64)  # width, height
FPS = 25
CORNERS = {"red": (30, 40, 200), "green": (40, 180, 40), "blue": (200, 60, 30), "gray": (90,) * 3}
_BITS = 8
MATRICES = {  # a, b, c, d of a display matrix, and what it does to a picture
    "as it is": ((1, 0, 0, 1), lambda image: image),
    "90": ((0, 1, -1, 0), lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)),
    "180": ((-1, 0, 0, -1), lambda image: cv2.rotate(image, cv2.ROTATE_180)),
    "270": ((0, -1, 1, 0), lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda image: image[::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
    "transposed twice": ((0, -1, -1, 0), lambda image: image[::-1, ::-1].swapaxes(0, 1)),
}


def picture(number: int, size=SIZE) -> np.ndarray:
    """A picture with corners of four colours; eight bars in its middle are its number."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = CORNERS["red"]
    image[: height // 2, width // 2 :] = CORNERS["green"]
    image[height // 2 :, : width // 2] = CORNERS["blue"]
    image[height // 2 :, width // 2 :] = CORNERS["gray"]
    bar = width // (2 * _BITS)
    for bit in range(_BITS):
        left = width // 4 + bit * bar
        image[height // 4 : -height // 4, left : left + bar] = 235 if number >> bit & 1 else 16
    return image


def number_of(image: np.ndarray) -> int:
    """The number that a picture shows."""
    height, width = image.shape[:2]
    bar = width / (2 * _BITS)
    middles = [int(width / 4 + (bit + 0.5) * bar) for bit in range(_BITS)]
    return sum((image[height // 2, x].mean() > 125) << bit for bit, x in enumerate(middles))


def make(
    path: Path,
    codec: str = "libx264",
    *,
    frames: int = 10,
    size=SIZE,
    pixels: str = "yuv420p",
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    times=None,
    draw=picture,
    sound: str = "",
) -> Path:
    """Write a clip.

    Args:
        times: time of each frame in seconds; None for a constant rate.
        draw: function that returns the picture of a number in a size.
        sound: codec of a tone, which is silent until half a second; empty for none.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if pixel_aspect:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        heard = container.add_stream(sound, rate=48_000, layout="mono") if sound else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(number, size), format="bgr24")
            if times is not None:
                frame.pts, frame.time_base = round(1000 * times[number]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if heard:
            _write_tone(container, heard, frames / FPS)
    return path


def _write_tone(container, stream, seconds: float) -> None:
    rate, step = 48_000, 960
    context = stream.codec_context
    resampler = av.AudioResampler(context.format, "mono", rate, context.frame_size or None)
    for start in range(0, int(seconds * rate), step):
        times = np.arange(start, start + step) / rate
        tone = np.where(times < 0.5, 0, 0.5 * np.sin(2 * np.pi * 880 * times)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(tone[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        for one in resampler.resample(frame):
            container.mux(stream.encode(one))
    for one in resampler.resample(None):
        container.mux(stream.encode(one))
    container.mux(stream.encode(None))


def heard_from(path: Path) -> tuple[str, float, float] | None:
    """The codec of a file's sound, when its tone begins and when it ends; None without sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        loud, end_s = [], 0.0
        for frame in container.decode(stream):
            samples = frame.to_ndarray().astype(np.float64)
            if frame.format.name.startswith("s16"):
                samples /= 1 << 15
            end_s = frame.time + frame.samples / frame.sample_rate
            if np.abs(samples).max() > 0.2:
                loud.append(frame.time)
        name = stream.codec_context.codec.canonical_name
    return name, min(loud, default=float("nan")), end_s


def set_matrix(path: Path, matrix) -> Path:
    """Give the pictures of an MP4 file a display matrix."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def hide_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make PyAV look as if it was not installed."""
    monkeypatch.setitem(__import__("sys").modules, "av", None)
