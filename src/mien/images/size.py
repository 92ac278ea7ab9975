"""The size of an image as it is seen, from the header of its file if that is enough."""

from __future__ import annotations

import struct
from typing import Final

from mien.images.decode import decode_image
from mien.images.header import Size, header_size
from mien.images.orientation import ORIENTATION_TAG
from mien.images.tiff import TIFF_MAGIC, tags

# A file with one of these signatures may have an orientation that swaps width and height.
_MAY_BE_TURNED: Final = (b"Exif", b"eXIf", b"EXIF")


def image_size(content: bytes, name: str) -> Size:
    """Return an upright image's width and height, from its header if that is enough.

    Args:
        content: content of the image file.
        name: name of the image in errors.

    Raises:
        DataError: if the size needs decoding, and the image cannot be decoded.
    """
    size = (0, 0) if _may_be_turned(content) else header_size(content)
    if min(size) > 0:  # a JPEG may state its height at its end
        return size
    height, width = decode_image(content, name).shape[:2]
    return width, height


def _may_be_turned(content: bytes) -> bool:
    """Return whether an image's upright size may differ from the size that its header states."""
    if content.startswith(TIFF_MAGIC):
        try:
            return ORIENTATION_TAG in tags(content)
        except (struct.error, IndexError, OverflowError):
            return True
    is_iso = content.startswith(b"ftyp", 4)  # AVIF and HEIC may be turned or cropped
    return is_iso or any(mark in content for mark in _MAY_BE_TURNED)
