"""Photos from files, bytes, PIL images and arrays: 8-bit, upright, of limited size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.errors import DataError, SourceError
from mien.images.decode import IMAGE_SUFFIXES, decode_image
from mien.images.header import header_size, is_whole_jpeg
from mien.images.repair import PNG_MAGIC, repair_png
from mien.types import Array, Image
from mien.vision.sources._specs import existing_file, is_path
from mien.vision.sources.base import SOURCES, Frame, Kind, Limits, Opener, Source, Stop

PHOTO_SUFFIXES: Final = IMAGE_SUFFIXES
_JPEG_MAGIC, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_AGAIN: Final = "copy or download it again"
_ORIENTATION: Final = 0x0112  # EXIF tag

# Returns the pixels of a photo, and appends the damage of a photo to the list.
Load = Callable[[list[SourceError]], Image]


class PhotoSource(Source):
    """A single picture.

    Args:
        name: path or address of the picture; an empty string for pixels.
        load: function that returns its pixels.
    """

    def __init__(self, name: str, load: Load) -> None:
        super().__init__(name, "photos", total=1)
        self._load = load

    def __iter__(self) -> Iterator[Frame]:
        """Yield the picture."""
        self.failures.clear()
        yield Frame(self._load(self.failures), self.name)

    def close(self) -> None:
        """Do nothing: no file stays open."""


@SOURCES.register("photo")
class PhotoOpener(Opener):
    """Opens image files, their content, PIL images and arrays, and files of unknown kinds."""

    suffixes = PHOTO_SUFFIXES
    is_fallback = True  # a file whose suffix no other kind knows may still be a photo

    def opens(self, spec: object) -> bool:
        """Return whether a spec holds pixels or is a path."""
        return isinstance(spec, np.ndarray | _Bytes) or _is_pil(spec) or is_path(spec)

    def kind(self, spec: object) -> Kind:
        """Return ``photos``."""
        return "photos"

    def name(self, spec: object) -> str:
        """Return the path; an empty string for pixels."""
        return str(spec) if is_path(spec) else ""

    def open(self, spec: Any, *, limits: Limits, stop: Stop) -> Source:
        """Open a photo; a file is read and decoded when its frame is requested.

        Raises:
            SourceError: if an array is not a picture, or there is no such file.
        """
        if isinstance(spec, np.ndarray):
            image = check_array(spec)
            return PhotoSource("", lambda _: image)
        if isinstance(spec, _Bytes):
            content = bytes(spec)
            return PhotoSource(
                "", lambda wrong: decode_photo(content, "the picture", limits, wrong)
            )
        if _is_pil(spec):
            name = str(getattr(spec, "filename", "") or "")
            return PhotoSource(name, lambda _: from_pil(spec, name or "the picture", limits))
        path, size_bytes = existing_file(spec)
        name = str(spec)
        if size_bytes > limits.max_bytes:
            raise SourceError(
                f"{name}: a file of {size_bytes >> 20:,} MB, too large for a picture of "
                f"{limits.max_pixels / 1e6:,.1f} million pixels; raise the limit with "
                f"--max-pixels, "
                "or give a video a suffix such as .mp4"
            )
        return PhotoSource(name, lambda wrong: read_photo(path, name, limits, wrong))


_Bytes = bytes | bytearray | memoryview


def _is_pil(spec: object) -> bool:
    return isinstance(getattr(spec, "mode", None), str) and hasattr(spec, "convert")


def read_photo(path: Path, name: str, limits: Limits, wrong: list[SourceError]) -> Image:
    """Return the pixels of an image file.

    Args:
        path: path of the file.
        name: name of the file in errors.
        limits: limits on its size.
        wrong: list that receives damage which leaves a part of the picture readable.

    Raises:
        SourceError: if the file cannot be read or decoded, or is too large.

    Shape: -> uint8 (height, width, 3).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{name}: cannot be read ({error.strerror})") from None
    return decode_photo(content, name, limits, wrong)


def decode_photo(content: bytes, name: str, limits: Limits, wrong: list[SourceError]) -> Image:
    """Return the pixels of an image file's content, as far as they can be read.

    Args:
        content: content of the file.
        name: name of the file in errors.
        limits: limits on its size.
        wrong: list that receives damage which leaves a part of the picture readable.

    Raises:
        SourceError: if the content cannot be decoded, or the picture is too large.

    Shape: -> uint8 (height, width, 3).
    """
    width, height = header_size(content)
    limits.check_pixels(name, width * height)
    damage = ""
    if content.startswith(PNG_MAGIC):
        content, is_whole = repair_png(content)
        if not content:
            raise SourceError(f"{name}: a PNG of which nothing can be read; {_AGAIN}")
        damage = "" if is_whole else "a PNG that is damaged or cut off"
    elif not width * height:  # OpenCV also decodes formats whose header is not checked here
        raise SourceError(
            f"{name}: cannot be decoded as an image, expected PNG, JPEG, WebP, BMP, TIFF, GIF or "
            "AVIF (is the file damaged, or of another format than its name says?)"
        )
    elif content.startswith(_JPEG_MAGIC) and not is_whole_jpeg(content):
        content += _JPEG_END
        damage = "a JPEG that is cut off"
    try:
        image = decode_image(content, name)
    except DataError as error:
        raise SourceError(str(error)) from None
    limits.check_pixels(name, image.shape[0] * image.shape[1])  # the header may have been wrong
    if damage:
        wrong.append(SourceError(f"{name}: {damage}; its readable part was used; {_AGAIN}"))
    return image


def from_pil(picture: Any, name: str, limits: Limits) -> Image:
    """Return the pixels of a PIL image, turned upright by its EXIF orientation.

    Raises:
        SourceError: if PIL cannot decode the image, or it is too large.

    Shape: -> uint8 (height, width, 3), blue-green-red, or gray (height, width) for 16 bits.
    """
    width, height = picture.size
    limits.check_pixels(name, width * height)
    try:
        if picture.mode.startswith("I"):  # 16 bits, which PIL would clip
            pixels = (np.asarray(picture).clip(0, 0xFFFF) >> 8).astype(np.uint8)
        else:
            pixels = np.asarray(picture.convert("RGB"), np.uint8)[..., ::-1]
        orientation = picture.getexif().get(_ORIENTATION, 1) if hasattr(picture, "getexif") else 1
    except Exception as error:  # PIL's decoders raise errors of every type
        raise SourceError(
            f"{name}: PIL cannot decode it ({error}); is the file complete?"
        ) from None
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def check_array(array: Array) -> Image:
    """Check that an array is a picture, and return it without its alpha channel.

    Raises:
        SourceError: if the array is not a picture.

    Shape: uint8 (height, width), (height, width, 3) or (height, width, 4) -> (height, width) or
        (height, width, 3).
    """
    is_colour = array.ndim == 3 and array.shape[2] in (3, 4)
    if array.dtype != np.uint8 or not (is_colour or array.ndim == 2) or array.size == 0:
        raise wrong_array(array)
    return array if array.ndim == 2 or array.shape[2] == 3 else np.ascontiguousarray(array[..., :3])


def wrong_array(array: Array) -> SourceError:
    """Return the error for an array that is not a picture."""
    return SourceError(
        f"the picture is {array.dtype} {array.shape}, expected uint8 (height, width, 3), "
        "blue-green-red, or gray (height, width)"
    )
