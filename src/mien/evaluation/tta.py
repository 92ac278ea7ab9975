"""Test-time augmentation (TTA): the mean of the probabilities of several copies of an image.

It takes as many readings as there are copies. Its scores are reported apart from those of the
image alone, and are never the headline.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from mien.bundle.bundle import Bundle
from mien.bundle.scores import NO_TTA
from mien.errors import MienError, nearest
from mien.images.crop import RELEASE_EVERY
from mien.io.mapped import release_pages
from mien.types import Images, Probabilities

_WORDS: Final = {
    NO_TTA: "no test-time augmentation",
    "flip": "test-time augmentation: mean of the image and its mirror image",
    "ten-crop": "test-time augmentation: mean of ten crops, the corners, the centre and their "
    "mirror images",
}
TTA: Final = tuple(_WORDS)
_CROP_SIDE: Final = 7 / 8  # side of a crop relative to the image's, to which it is resized back


def describe_tta(tta: str) -> str:
    """Return a test-time augmentation in words."""
    return _WORDS.get(tta, f"test-time augmentation: {tta}")


def check_tta(tta: str) -> None:
    """Raise a MienError if no test-time augmentation has this name.

    Raises:
        MienError: if there is no test-time augmentation of that name.
    """
    if tta not in TTA:
        raise MienError(
            f"no test-time augmentation is called {tta!r}{nearest(tta, TTA)}; "
            f"there are: {', '.join(TTA)}"
        )


def predict_tta(bundle: Bundle, images: Images, tta: str) -> Probabilities:
    """Return a Bundle's probabilities, averaged over the copies of each image.

    Args:
        bundle: Bundle that reads the faces.
        images: face crops.
        tta: name of the test-time augmentation, one of `TTA`.

    Raises:
        MienError: if there is no test-time augmentation of that name.

    Shape: images uint8 (N, size_px, size_px), or (N, size_px, size_px, 3) in colour -> float32
        (N, classes).
    """
    check_tta(tta)
    probabilities = np.empty((len(images), len(bundle.labels)), np.float32)
    for start in range(0, len(images), RELEASE_EVERY):
        rows = slice(start, start + RELEASE_EVERY)
        probabilities[rows] = _predict(bundle, images[rows], tta)
        release_pages(images)
    return probabilities


def _predict(bundle: Bundle, images: Images, tta: str) -> Probabilities:
    if tta == NO_TTA:
        return bundle.predict(images)[1]
    copies = _crops(images) if tta == "ten-crop" else [images]
    copies += [copy[:, :, ::-1] for copy in copies]
    probabilities = np.stack([bundle.predict(copy)[1] for copy in copies])  # (copies, N, classes)
    return np.asarray(probabilities.mean(axis=0), np.float32)


def _crops(images: Images) -> list[Images]:
    """Return the four corners and the centre, each at the size of the images."""
    side = images.shape[1]
    cropped = round(side * _CROP_SIDE)
    far = side - cropped
    places = [(0, 0), (0, far), (far, 0), (far, far), (far // 2, far // 2)]
    crops = [images[:, top : top + cropped, left : left + cropped] for top, left in places]
    return [np.stack([cv2.resize(image, (side, side)) for image in crop]) for crop in crops]
