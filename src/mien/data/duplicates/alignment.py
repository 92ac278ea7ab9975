"""Alignment of two images: the definition of a near duplicate.

Images are compared by differences of Gaussians, which keep edges and remove lighting.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mien.images.crop import CropSpec
from mien.types import Image

Float32s = npt.NDArray[np.float32]

SIDE_PX: Final = CropSpec.size_px  # of the images that are compared; lengths are in their pixels
MIN_CORRELATION: Final = 0.90  # of near duplicates, once aligned
MAX_SHIFT_PX: Final = 3

_BLURS: Final = (1.5, 4.0)
_SMALLER: Final = (0.95, 0.90)
_LARGER: Final = (1.05, 1.10)
# Correlation at scale 1 below which no measured pair was a near duplicate at another scale.
_MIN_UNSCALED: Final = 0.65
# One pixel more than near duplicates may be shifted by, so that a best fit beyond that limit is
# recognized.
_MARGIN_PX: Final = MAX_SHIFT_PX + 1


class Fit(NamedTuple):
    """The best alignment of two images.

    Args:
        correlation: correlation of the aligned differences of Gaussians.
        scale: scale of the second image relative to the first.
        shift: shift of the second image relative to the first, down and right, in pixels.
    """

    correlation: float
    scale: float
    shift: tuple[int, int]


def filter_image(image: Image) -> Float32s:
    """Return an image's difference of Gaussians. Shape: uint8 (SIDE_PX, SIDE_PX) -> the same."""
    return difference_of_gaussians(image.astype(np.float32), _BLURS)


def fit_images(template: Float32s, picture: Float32s) -> Fit | None:
    """Return the best alignment of two filtered images; None if they are not near duplicates."""
    best = unscaled = overlay(template, picture, 1.0)
    if unscaled.correlation < _MIN_UNSCALED:
        return None
    for scales in (_SMALLER, _LARGER):
        last = unscaled
        for scale in scales:  # away from 1, as long as the fit improves
            fit = overlay(template, picture, scale)
            best = max(best, fit)
            if fit < last:
                break
            last = fit
    near = best.correlation >= MIN_CORRELATION and max(map(abs, best.shift)) <= MAX_SHIFT_PX
    return best if near else None


def overlay(template: Float32s, picture: Float32s, scale: float) -> Fit:
    """Return the best alignment of a filtered image at one scale, among all shifts."""
    if scale != 1.0:
        template = rescale(template, scale)
    inner = slice(_MARGIN_PX, SIDE_PX - _MARGIN_PX)
    correlations = cv2.matchTemplate(picture, template[inner, inner], cv2.TM_CCOEFF_NORMED)
    _, highest, _, (right, down) = cv2.minMaxLoc(correlations)
    return Fit(float(highest), scale, (down - _MARGIN_PX, right - _MARGIN_PX))


def difference_of_gaussians(image: Float32s, blurs: tuple[float, float]) -> Float32s:
    """Return the difference of an image blurred little and much, by two standard deviations."""
    fine, coarse = (
        cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REFLECT) for blur in blurs
    )
    return np.asarray(fine - coarse, np.float32)


def rescale(image: Float32s, scale: float) -> Float32s:
    """Return an image rescaled about its centre, of the same size in pixels."""
    centre = (len(image) - 1) / 2
    move = cv2.getRotationMatrix2D((centre, centre), 0, scale)
    scaled = cv2.warpAffine(image, move, image.shape, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(scaled, np.float32)
