"""From an image of any size and colour to the 48×48 gray crop that every model here reads.

Training data and the faces found in photos go through the same functions, so the two cannot differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.errors import DataError

SIZE_PX: Final = 48

# What OpenCV's wheels decode everywhere and data sets come in.
IMAGE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
)

_BLANK: Final = 1.0  # gray levels of standard deviation below which there is no picture

Image = npt.NDArray[np.uint8]

# OpenCV would print its own warnings on top of the one clear line that we give.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


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


def to_crop(image: Image) -> Image:
    """Return ``image`` as a face crop: gray by ITU-R BT.601's weights, 48×48.

    An image that is gray and 48×48 already comes back bit for bit. Other sizes are averaged over
    areas when they shrink and interpolated linearly when they grow; the aspect is not kept.

    Shape: uint8 (height, width, 3) or (height, width) -> uint8 (48, 48).
    """
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    if gray.shape == (SIZE_PX, SIZE_PX):
        return np.asarray(gray, np.uint8)
    shrinks = gray.shape[0] >= SIZE_PX and gray.shape[1] >= SIZE_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(gray, (SIZE_PX, SIZE_PX), interpolation=how), np.uint8)


def shows_nothing(images: Image) -> npt.NDArray[np.bool_]:
    """Return which images are blank: of less than 1 gray level of standard deviation.

    Shape: uint8 (N, height, width) -> bool (N,).
    """
    return np.array([image.std() < _BLANK for image in images], bool)
