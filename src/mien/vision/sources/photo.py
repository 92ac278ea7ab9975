"""Pictures from files, bytes, PIL and arrays: 8-bit, upright, and of bearable size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.errors import DataError, SourceError
from mien.images.decode import IMAGE_SUFFIXES, decode_image
from mien.images.header import header_size, is_whole_jpeg
from mien.images.repair import PNG_MAGIC, repair_png
from mien.types import Image
from mien.vision.defaults import MAX_PIXELS, RETRIES, SILENCE_S
from mien.vision.reading import Frame, Source

PHOTO_SUFFIXES: Final = IMAGE_SUFFIXES
_AGAIN: Final = "copy or download it again"
_ORIENTATION: Final = 0x0112  # EXIF's tag


@dataclass(frozen=True)
class Limits:
    """How much a source may ask for: pixels of a picture, silence of an address, new tries."""

    max_pixels: int = MAX_PIXELS
    timeout_s: float = SILENCE_S
    retries: int = RETRIES

    @property
    def max_bytes(self) -> int:
        """Return the size of the largest file a picture may have: 16 bits of four channels."""
        return 8 * self.max_pixels + (1 << 20)


class PhotoSource(Source):
    """One picture. ``load`` gives its pixels, and appends to the list what is wrong with them."""

    def __init__(self, name: str, load: Callable[[list[SourceError]], Image]) -> None:
        super().__init__(name, "photos", total=1)
        self._load = load

    def __iter__(self) -> Iterator[Frame]:
        self.failures.clear()
        yield Frame(self._load(self.failures), self.name)

    def close(self) -> None:
        """Do nothing: no file stays open."""


def read_photo(path: Path, name: str, limits: Limits, wrong: list[SourceError]) -> Image:
    """Read and decode an image file; what is wrong with it but was borne is added to ``wrong``.

    Raises:
        SourceError: if it cannot be read or decoded, or is too large.

    Shape: -> uint8 (height, width, 3).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{name}: cannot be read ({error.strerror})") from None
    return decode_photo(content, name, limits, wrong)


def decode_photo(content: bytes, name: str, limits: Limits, wrong: list[SourceError]) -> Image:
    """Decode an image file of bearable size, and what there is of a damaged PNG or cut-off JPEG."""
    width, height = header_size(content)
    if width * height > limits.max_pixels:
        raise too_large(name, width * height, limits.max_pixels)
    part = ""
    if content.startswith(PNG_MAGIC):
        content, whole = repair_png(content)
        if not content:
            raise SourceError(f"{name}: a PNG of which nothing can be read; {_AGAIN}")
        part = "" if whole else "a PNG that is damaged or cut off"
    elif not width * height:  # OpenCV decodes kinds whose size cannot be checked before
        raise SourceError(
            f"{name}: cannot be decoded as an image, expected PNG, JPEG, WebP, BMP, TIFF, GIF or "
            "AVIF (a damaged file, or another kind with an image's name?)"
        )
    elif content.startswith(b"\xff\xd8") and not is_whole_jpeg(content):
        content += b"\xff\xd9"
        part = "a JPEG that is cut off"
    try:
        image = decode_image(content, name)
    except DataError as error:
        raise SourceError(str(error)) from None
    if image.shape[0] * image.shape[1] > limits.max_pixels:  # of a header that did not say so
        raise too_large(name, image.shape[0] * image.shape[1], limits.max_pixels)
    if part:
        wrong.append(SourceError(f"{name}: {part}; what there is of it was used; {_AGAIN}"))
    return image


def from_pil(picture: Any, name: str, limits: Limits) -> Image:
    """Return a PIL image's pixels, turned upright as its EXIF orientation says."""
    width, height = picture.size
    if width * height > limits.max_pixels:
        raise too_large(name, width * height, limits.max_pixels)
    try:
        if picture.mode.startswith("I"):  # 16 bits, which PIL would clip
            pixels = (np.asarray(picture).clip(0, 0xFFFF) >> 8).astype(np.uint8)
        else:
            pixels = np.asarray(picture.convert("RGB"), np.uint8)[..., ::-1]
        orientation = picture.getexif().get(_ORIENTATION, 1) if hasattr(picture, "getexif") else 1
    except Exception as error:  # PIL's decoders raise what they like
        raise SourceError(f"{name}: PIL cannot decode it ({error}); is the file whole?") from None
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def check_array(array: np.ndarray) -> Image:
    """Return an array that is a picture, without its alpha channel.

    Raises:
        SourceError: if it is none.

    Shape: uint8 (height, width), (height, width, 3) or (height, width, 4) -> without the fourth.
    """
    colour = array.ndim == 3 and array.shape[2] in (3, 4)
    if array.dtype != np.uint8 or not (colour or array.ndim == 2) or array.size == 0:
        raise wrong_array(array)
    return array if array.ndim == 2 or array.shape[2] == 3 else np.ascontiguousarray(array[..., :3])


def wrong_array(array: np.ndarray) -> SourceError:
    """Say that an array is no picture."""
    return SourceError(
        f"the picture is {array.dtype} {array.shape}, expected uint8 (height, width, 3), "
        "blue-green-red, or gray (height, width)"
    )


def too_large(name: str, pixels: int, max_pixels: int) -> SourceError:
    """Say that a picture has more pixels than are allowed."""
    return SourceError(
        f"{name}: {pixels / 1e6:,.1f} million pixels, more than the limit of "
        f"{max_pixels / 1e6:,.1f} million; raise it by --max-pixels {pixels} if the picture is "
        "meant to be that large"
    )
