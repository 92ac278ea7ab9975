"""From an image of any size and colour to the 48×48 gray crop that every model here reads.

Training data and the faces found in photos go through the same functions, so the two cannot differ.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from mien.types import Image, Images, Mask

SIZE_PX: Final = 48

_BLANK: Final = 1.0  # gray levels of standard deviation below which there is no picture


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


def is_blank(images: Images) -> Mask:
    """Return which images are blank: of less than 1 gray level of standard deviation.

    Shape: uint8 (N, height, width) -> bool (N,).
    """
    return np.array([image.std() < _BLANK for image in images], bool)
