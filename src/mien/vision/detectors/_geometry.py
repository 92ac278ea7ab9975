"""Shrink or tile pictures before detection, and map detected boxes back to the original."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from mien.types import Image
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


def tiles(shape: Sequence[int], side_px: Sequence[int], overlap_px: int) -> Iterator[Box]:
    """Yield the boxes of equal, overlapping tiles that cover a picture.

    Args:
        shape: height and width of the picture.
        side_px: height and width of a tile, each more than `overlap_px`.
        overlap_px: least overlap of neighbours: whatever is smaller is whole in one of them.
    """
    starts = []
    for whole, side in zip(shape[:2], side_px, strict=True):
        count = max(1, math.ceil((whole - overlap_px) / (side - overlap_px)))
        starts.append([int(start) for start in np.linspace(0, max(0, whole - side), count)])
    for top in starts[0]:
        for left in starts[1]:
            yield left, top, min(left + side_px[1], shape[1]), min(top + side_px[0], shape[0])
