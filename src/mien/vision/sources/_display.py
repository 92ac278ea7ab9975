"""Show decoded frames as a player does: with square pixels, upright, and not mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mien.types import Image

# Linear part (a, b, c, d) of a display matrix: the pixel at (x, y) is shown at
# (a x + c y, b x + d y), with y pointing down.
Matrix = tuple[float, float, float, float]

IDENTITY: Final[Matrix] = (1, 0, 0, 1)

# By the clockwise angle, in degrees, by which a picture is to be turned.
TURNS: Final[dict[int, Matrix]] = {
    0: IDENTITY,
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


@dataclass(frozen=True)
class Display:
    """How the frames of a video are to be shown.

    Args:
        pixel_aspect: width of a pixel divided by its height, before turning.
        matrix: display matrix; angles between the multiples of 90° are rounded to the nearest.
    """

    pixel_aspect: float = 1.0
    matrix: Matrix = IDENTITY

    def width_px(self, coded_width: int) -> int:
        """Return the width at which the pixels of a frame of `coded_width` columns are square."""
        return max(1, round(coded_width * self.pixel_aspect))

    def show(self, image: Image) -> Image:
        """Return a decoded frame as it is to be seen.

        Shape: uint8 (height, width, 3) -> uint8 (height, width, 3), other sizes if it is turned.
        """
        height, coded_width = image.shape[:2]
        width = self.width_px(coded_width)
        shown = image
        if width != coded_width:
            shown = np.asarray(cv2.resize(shown, (width, height)), np.uint8)
        a, b, c, d = self.matrix
        if abs(b) + abs(c) > abs(a) + abs(d):
            shown = np.asarray(cv2.transpose(shown), np.uint8)
            a, d = c, b
        if a < 0 or d < 0:
            axes = -1 if a < 0 and d < 0 else int(a < 0)  # OpenCV: 1 mirrors left and right
            shown = np.asarray(cv2.flip(shown, axes), np.uint8)
        return shown


def pixel_aspect(numerator: float, denominator: float) -> float:
    """Return a pixel aspect ratio as a number; 1 if it is not stated."""
    return numerator / denominator if numerator > 0 and denominator > 0 else 1.0
