"""Crop a face out of a picture in the form that a Bundle reads: level, square, of its size."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from mien.images.crop import DEFAULT_CROP, CropSpec, to_crop
from mien.types import Crop, Image
from mien.vision.detectors.base import Face

# Smaller tilts are kept: rotation blurs a little, and training rotates faces by more than this.
_LEVEL_ENOUGH_DEGREES: Final = 6.0
# Sides of larger squares are shrunk first: the square around a picture of 60,000x1 pixels has 3,600
# million of them. No square in a picture of 100 million pixels has a longer side.
_MAX_SIDE_PX: Final = 10_000


def crop_face(image: Image, face: Face, margin: float, crop: CropSpec = DEFAULT_CROP) -> Crop:
    """Return the square around a face as a crop, rotated so that the eyes are level.

    Args:
        image: pixels of the picture.
        face: face in the picture.
        margin: margin on each side of the box, as a share of its longer side.
        crop: size and channels of the crop.

    Shape: uint8 (height, width, 3) or (height, width) -> uint8 (size_px, size_px), or
        (size_px, size_px, 3), red-green-blue.
    """
    return to_crop(cut_face(image, face, margin), crop)


def cut_face(image: Image, face: Face, margin: float) -> Image:
    """Return the square around a face; beyond the picture, its edge is repeated.

    Args:
        image: pixels of the picture.
        face: face in the picture.
        margin: margin on each side of the box, as a share of its longer side.

    Shape: uint8 (height, width, 3) or (height, width) -> (side, side, 3) or (side, side), where the
        side is from 1 to 10,000 pixels.
    """
    left, top, right, bottom = face.box
    side = max(1, round(max(right - left, bottom - top) * (1 + 2 * margin)))
    if side > _MAX_SIDE_PX:
        image, face = _shrunk(image, face, _MAX_SIDE_PX / side)
        (left, top, right, bottom), side = face.box, _MAX_SIDE_PX
    if abs(face.tilt_degrees) >= _LEVEL_ENOUGH_DEGREES:
        return _cut_level(image, face, side)
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    height, width = image.shape[:2]
    inside = image[max(y, 0) : min(y + side, height), max(x, 0) : min(x + side, width)]
    beyond = (max(-y, 0), max(y + side - height, 0), max(-x, 0), max(x + side - width, 0))
    if any(beyond):
        inside = np.asarray(cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE), np.uint8)
    return inside


def _shrunk(image: Image, face: Face, scale: float) -> tuple[Image, Face]:
    """Return a picture and the face in it at a smaller scale."""
    height, width = image.shape[:2]
    sides = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller = cv2.resize(image, sides, interpolation=cv2.INTER_AREA)
    left, top, right, bottom = (round(edge * scale) for edge in face.box)
    return np.asarray(smaller, np.uint8), replace(face, box=(left, top, right, bottom))


def _cut_level(image: Image, face: Face, side: int) -> Image:
    height, width = image.shape[:2]
    middle_x, middle_y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    # Only the region that the rotated square can reach: OpenCV warps no picture with a side of
    # 32,767 pixels or more.
    reach = side / 2**0.5 + 2
    first_x, first_y = max(0, int(middle_x - reach)), max(0, int(middle_y - reach))
    last_x, last_y = min(width, int(middle_x + reach) + 1), min(height, int(middle_y + reach) + 1)
    around = image[first_y:last_y, first_x:last_x]
    middle_x, middle_y = middle_x - first_x, middle_y - first_y
    # OpenCV rotates counterclockwise for positive angles.
    rotation = cv2.getRotationMatrix2D((middle_x, middle_y), face.tilt_degrees, 1)
    rotation[:, 2] += np.array([side / 2 - middle_x, side / 2 - middle_y])
    level = cv2.warpAffine(
        around, rotation, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(level, np.uint8)
