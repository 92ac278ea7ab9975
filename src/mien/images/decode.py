"""Image files to pixels: 8-bit, upright, blue-green-red."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.errors import DataError
from mien.types import Image

# What OpenCV's wheels decode everywhere and data sets come in.
IMAGE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
)


def decode_image(content: bytes, name: str) -> Image:
    """Decode an image file's bytes, turned upright as its EXIF orientation says.

    Shape: -> uint8 (height, width, 3), blue-green-red.

    Raises:
        DataError: if the bytes are no image that can be decoded.
    """
    if not content:
        raise DataError(f"{name}: the file is empty, expected an image")
    # OpenCV refuses WebP files under 32 bytes, such as an all-black face; padding is not read.
    padded = np.frombuffer(content.ljust(64, b"\0"), np.uint8)
    try:
        image = cv2.imdecode(padded, cv2.IMREAD_COLOR)
    except cv2.error:  # a header that promises more pixels than OpenCV's limit
        image = None
    if image is None:
        raise DataError(
            f"{name}: cannot be decoded as an image, expected PNG, JPEG, WebP, BMP, TIFF or GIF "
            "(a damaged file, or another kind with an image's name?)"
        )
    return np.asarray(image, np.uint8)


def read_image(path: Path) -> Image:
    """Read and decode an image file (see `decode_image`)."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return decode_image(content, str(path))
