"""Views: other crops of the same image, whose probabilities are averaged.

They cost as many readings as there are views, so what they score is reported apart, and is never
the headline.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.bundle.bundle import Bundle, Probabilities
from mien.errors import MienError, nearest
from mien.images.crop import SIZE_PX

SINGLE: Final = "single"
_WORDS: Final = {
    SINGLE: "single view",
    "flip": "two views averaged: the image and its mirror",
    "ten-crop": "ten views averaged: the corners, the middle, and their mirrors",
}
VIEWS: Final = tuple(_WORDS)
_CROP_PX: Final = 42  # of the 48; each crop is brought back to 48


def describe_views(views: str) -> str:
    """Return what the views are, in words."""
    return _WORDS.get(views, f"{views} views")


def check_views(views: str) -> str:
    """Return the views' name.

    Raises:
        MienError: if there are none of that name.
    """
    if views not in VIEWS:
        raise MienError(f"views {views!r}{nearest(views, VIEWS)}: expected {', '.join(VIEWS)}")
    return views


def predict_views(bundle: Bundle, images: npt.NDArray[np.uint8], views: str) -> Probabilities:
    """Return the mean of the probabilities that a Bundle reads in each view of the images.

    Shape: images uint8 (N, 48, 48) -> float32 (N, 7).
    """
    if check_views(views) == SINGLE:
        return bundle.predict(images)[1]
    crops = _crops(images) if views == "ten-crop" else [images]
    crops += [crop[:, :, ::-1] for crop in crops]
    read = np.stack([bundle.predict(crop)[1] for crop in crops])
    return np.asarray(read.mean(axis=0), np.float32)


def _crops(images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """Return the four corners and the middle. Shape: (N, 48, 48) -> five of (N, 48, 48)."""
    far = SIZE_PX - _CROP_PX
    corners = [(0, 0), (0, far), (far, 0), (far, far), (far // 2, far // 2)]
    size = (SIZE_PX, SIZE_PX)
    crops = (images[:, top : top + _CROP_PX, left : left + _CROP_PX] for top, left in corners)
    return [np.stack([cv2.resize(image, size) for image in crop]) for crop in crops]
