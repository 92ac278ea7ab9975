"""Animated GIF, PNG, WebP and AVIF files as videos."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from mien.errors import SourceError, first_line
from mien.images.animated import is_animated
from mien.images.decode import quiet_opencv
from mien.images.header import header_size
from mien.images.heif import main_image
from mien.images.orientation import turn_upright, webp_orientation
from mien.types import Image
from mien.vision.sources._picture import PIXELS, PhotoSource
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
from mien.vision.sources.http import AddressOpener
from mien.vision.sources.photo import PhotoOpener

# Suffixes of the image files that may hold an animation.
ANIMATED_SUFFIXES: Final = frozenset({".gif", ".png", ".apng", ".webp", ".avif", ".avifs"})

_LEAST_MS: Final = 10.0  # browsers show a frame of this duration or less for the next one
_ASSUMED_MS: Final = 100.0
# Without PIL all frames are in memory at once: this many times the largest picture.
_PICTURES_AT_ONCE: Final = 4


@dataclass(frozen=True, eq=False)
class Animation:
    """Spec of an image file that is read as a video if it is animated.

    Args:
        spec: path, address or content of the file, or an open file.
    """

    spec: object


@SOURCES.register("animation")
class AnimationOpener(Opener):
    """Opens animated image files as videos, and others as photos."""

    def opens(self, spec: object) -> bool:
        """Return whether a spec is an Animation."""
        return isinstance(spec, Animation)

    def kind(self, spec: object) -> Kind:
        """Return ``video``."""
        return "video"

    def name(self, spec: Any) -> str:
        """Return the path or the address of the file."""
        return _opener(spec.spec).name(spec.spec)

    def open(self, spec: Any, *, limits: Limits, stop: Stop) -> Source:
        """Open an animation; a picture that does not move is a photo.

        Raises:
            SourceError: if there is no such file, or it is no picture.
        """
        source = _opener(spec.spec).open(spec.spec, limits=limits, stop=stop)
        if not isinstance(source, PhotoSource) or source.content is None:
            return source
        content = source.content()
        if not is_animated(content):
            return source
        width, height = header_size(content)
        limits.check_pixels(source.name or PIXELS, width * height)
        return AnimationSource(source.name, content, limits, stop)


def _opener(spec: object) -> Opener:
    address = AddressOpener()
    return address if address.opens(spec) else PhotoOpener()


class AnimationSource(Source):
    """Every selected frame of an animation, in order.

    Args:
        name: path or address of the file; an empty string for its content.
        content: content of the file.
        limits: limits on its size.
        stop: condition that ends the iteration.
    """

    def __init__(self, name: str, content: bytes, limits: Limits, stop: Stop) -> None:
        super().__init__(name, "video")
        self._content, self._limits, self._stop = content, limits, stop
        self._selection = ALL_FRAMES
        self._is_closed = False

    def select(self, selection: Selection) -> None:
        """Yield only the selected frames from now on (see `Source.select`)."""
        self._selection = selection

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; a second iteration starts again."""
        self.failures.clear()
        self._is_closed = False
        wanted, shown = self._selection, self.name or "the animation"
        seconds, in_part, count = 0.0, 0, 0
        for index, (image, duration_s) in enumerate(self._frames(shown)):
            if self._is_closed or self._stop():
                return
            if wanted.end_s is not None and seconds >= wanted.end_s:
                break
            if seconds >= wanted.start_s:
                if in_part % wanted.every == 0:
                    yield Frame(image, self.name, index, seconds)
                    count += 1
                in_part += 1
            seconds += duration_s
        if count == 0:
            raise SourceError(
                f"{shown}: no frame from {wanted.start_s:g} s on; the animation ends at "
                f"{seconds:.1f} s"
            )

    def close(self) -> None:
        """End the iteration."""
        self._is_closed = True

    def _frames(self, name: str) -> Iterator[tuple[Image, float]]:
        """Yield each frame, upright, and its duration in seconds."""
        if self._content.startswith(b"WEBP", 8):
            turns: tuple[int, ...] = (webp_orientation(self._content),)
        else:
            turns = main_image(self._content).turns if self._content[4:8] == b"ftyp" else ()
        for image, duration_ms in self._decoded(name):
            self._limits.check_pixels(name, image.shape[0] * image.shape[1])
            for orientation in turns:
                image = turn_upright(image, orientation)
            is_stated = duration_ms > _LEAST_MS
            yield image, (duration_ms if is_stated else _ASSUMED_MS) / 1000

    def _decoded(self, name: str) -> Iterator[tuple[Image, float]]:
        """Yield each frame as it is stored, and its duration in milliseconds."""
        try:
            import PIL.Image
        except ImportError:
            yield from self._by_opencv(name)
        else:
            yield from self._by_pil(PIL.Image, name)

    def _by_pil(self, pil: Any, name: str) -> Iterator[tuple[Image, float]]:
        """Decode the frames one by one."""
        number = 0
        try:
            with pil.open(io.BytesIO(self._content)) as picture:
                # The picture that shows where animations are not supported.
                number = int(bool(picture.info.get("default_image")))
                while True:
                    picture.seek(number)
                    self._limits.check_pixels(name, picture.width * picture.height)
                    pixels = np.asarray(picture.convert("RGBA"), np.uint8)
                    yield np.ascontiguousarray(pixels[..., 2::-1]), _duration_ms(picture.info)
                    number += 1
        except EOFError:  # after the last frame
            return
        except SourceError:
            raise
        except Exception as error:  # PIL's decoders raise errors of every type
            damage = SourceError(
                f"{name}: frame {number:,} of the animation cannot be decoded "
                f"({first_line(error)}); the {number:,} before it were used"
            )
            if number == 0:
                raise damage from None
            self.failures.append(damage)

    def _by_opencv(self, name: str) -> Iterator[tuple[Image, float]]:
        """Decode all frames at once."""
        decode = getattr(cv2, "imdecodeanimation", None)
        if decode is None:
            raise SourceError(
                f"{name}: an animation, which this version of OpenCV cannot read; update OpenCV to "
                "4.12 or later, or install pillow"
            )
        width, height = header_size(self._content)
        most = max(1, _PICTURES_AT_ONCE * self._limits.max_pixels // max(width * height, 1))
        data = np.frombuffer(self._content, np.uint8)[None]  # one row: others are refused
        try:
            with quiet_opencv:
                is_read, animation = decode(data, start=0, count=min(most + 1, 0x7FFF))
        except cv2.error:
            is_read = False
        if not is_read:
            raise SourceError(
                f"{name}: an animation that cannot be decoded (is it damaged or cut off?); copy or "
                "download it again"
            )
        if len(animation.frames) > most:
            raise SourceError(
                f"{name}: an animation of more than {most:,} frames of {width}x{height} pixels, "
                "too large to be decoded at once; install pillow, or raise the limit with "
                "--max-pixels"
            )
        for pixels, duration_ms in zip(animation.frames, animation.durations, strict=True):
            yield np.ascontiguousarray(pixels[..., :3]), float(duration_ms)


def _duration_ms(info: dict[str, Any]) -> float:
    duration = info.get("duration", 0)
    return float(duration) if isinstance(duration, int | float) else 0.0
