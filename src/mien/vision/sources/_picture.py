"""A picture as a source, and the decoding of image files: 8-bit, upright, of limited size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from mien.errors import DataError, SourceError
from mien.images import tiff
from mien.images.animated import is_animated
from mien.images.decode import decode_image, refusal, undecodable
from mien.images.header import header_size, is_whole_jpeg
from mien.images.repair import PNG_MAGIC, repair_png
from mien.types import Image
from mien.vision.sources.base import Frame, Limits, Source

PIXELS: Final = "the picture"  # name, in errors, of a picture that has none
_JPEG_MAGIC, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_TIFF_MAGIC: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_AGAIN: Final = "copy or download it again"
_COARSE: Final = 16  # every 16th pixel tells most pictures from one of a single value

# Returns the pixels of a photo, and adds what is wrong with it to the source's failures and notes.
Load = Callable[["PhotoSource"], Image]


class PhotoSource(Source):
    """A single picture.

    Args:
        name: path or address of the picture; an empty string for pixels.
        load: function that returns its pixels.
        content: function that returns the content of its file; None for pixels.
    """

    def __init__(self, name: str, load: Load, content: Callable[[], bytes] | None = None) -> None:
        super().__init__(name, "photos", total=1)
        self._load = load
        self.content = content

    def __iter__(self) -> Iterator[Frame]:
        """Yield the picture."""
        self.failures.clear()
        self.notes.clear()
        yield Frame(self._load(self), self.name)

    def close(self) -> None:
        """Do nothing: no file stays open."""


def photo_source(content: Callable[[], bytes], name: str, limits: Limits) -> PhotoSource:
    """Return an image file as a source, decoded when its frame is requested.

    Args:
        content: function that returns the content of the file.
        name: path or address of the file; an empty string if it has none.
        limits: limits on its size.
    """

    def load(source: PhotoSource) -> Image:
        return decode_photo(content(), name or PIXELS, limits, source)

    return PhotoSource(name, load, content)


def decode_photo(content: bytes, name: str, limits: Limits, source: Source) -> Image:
    """Return the pixels of an image file's content, as far as they can be read.

    Args:
        content: content of the file.
        name: name of the file in errors.
        limits: limits on its size.
        source: source that receives, as a failure, damage that leaves a part of the picture
            readable, and as a note, what is suspicious.

    Raises:
        SourceError: if the content cannot be decoded, or the picture is too large.

    Shape: -> uint8 (height, width, 3).
    """
    if reason := undecodable(content):
        raise SourceError(f"{name}: {reason}")
    width, height = header_size(content)
    limits.check_pixels(name, width * height)
    if not width * height and not content.startswith(PNG_MAGIC):  # of which rows may be read
        raise SourceError(f"{name}: {refusal(content)}")
    whole, damage = _repaired(content, name)
    try:
        image = decode_image(whole, name, max_pixels=limits.max_pixels)
    except DataError as error:
        raise SourceError(str(error)) from None
    limits.check_pixels(name, image.shape[0] * image.shape[1])  # the header may have been wrong
    if damage:
        source.failures.append(
            SourceError(f"{name}: {damage}; its readable part was used; {_AGAIN}")
        )
    source.notes += [f"{name}: {note}" for note in _notes(content, image)]
    return image


def _repaired(content: bytes, name: str) -> tuple[bytes, str]:
    """Return a file of which the decoder uses what can be read, and its damage, if any.

    Raises:
        SourceError: if nothing can be read of a PNG.
    """
    if content.startswith(PNG_MAGIC):
        repaired, is_whole = repair_png(content)
        if not repaired:
            raise SourceError(f"{name}: a PNG of which nothing can be read; {_AGAIN}")
        return repaired, "" if is_whole else "a PNG that is damaged or cut off"
    if content.startswith(_JPEG_MAGIC) and not is_whole_jpeg(content):
        return content + _JPEG_END, "a JPEG that is cut off"
    return content, ""


def _notes(content: bytes, image: Image) -> list[str]:
    """Return what is suspicious about a picture, or was left out of it."""
    notes = []
    if is_animated(content):
        notes.append("an animation, of which only the first frame was read")
    elif content.startswith(_TIFF_MAGIC) and (pages := tiff.count_pages(content)) > 1:
        notes.append(f"a TIFF of {pages} pages, of which only the first was read")
    if _is_one_value(image):
        notes.append("a photo of one value: every pixel is the same")
    return notes


def _is_one_value(image: Image) -> bool:
    coarse = image[::_COARSE, ::_COARSE]
    return bool((coarse == image[0, 0]).all()) and bool(np.all(image == image[0, 0]))
