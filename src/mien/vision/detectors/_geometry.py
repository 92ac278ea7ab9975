"""Shrink pictures before detection, and map detected boxes back to the original."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from mien.types import Image
from mien.vision.detectors.base import Face
from mien.vision.reading import Box


def shrink(image: Image, longest_side_px: int) -> tuple[Image, float]:
    """Return a picture whose longer side is at most `longest_side_px`, and the scale."""
    height, width = image.shape[:2]
    scale = min(1.0, longest_side_px / max(height, width))
    if scale == 1:
        return image, scale
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def original_box(left_top_size: Sequence[float], scale: float, image: Image) -> Box:
    """Return a box of a shrunk picture in pixels of the original, clipped to its edges.

    Args:
        left_top_size: left and top edge, width and height, in pixels of the shrunk picture.
        scale: scale of the shrunk picture.
        image: original picture.
    """
    image_height, image_width = image.shape[:2]
    x, y, width, height = (float(value) / scale for value in left_top_size)
    return (
        min(image_width, max(0, round(x))),
        min(image_height, max(0, round(y))),
        max(0, min(image_width, round(x + width))),
        max(0, min(image_height, round(y + height))),
    )


def largest_first(faces: Iterable[Face]) -> list[Face]:
    """Return the faces that have an area, the largest first."""
    return sorted((face for face in faces if _area(face) > 0), key=lambda face: -_area(face))


def _area(face: Face) -> int:
    left, top, right, bottom = face.box
    return max(0, right - left) * max(0, bottom - top)
