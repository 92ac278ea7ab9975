"""Where the faces are in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.data.pixels import Image
from mien.errors import MienError

# Larger pictures are shrunk to this for detection: the cascade's time grows with the area, and a
# face that disappears at this size has too few pixels to be read.
_LONGEST_SIDE_PX: Final = 1280
_SMALLEST_FACE: Final = 1 / 30  # of the shorter side
_SCALE_STEP: Final = 1.1
_LEAST_NEIGHBOURS: Final = 6  # overlapping hits that make a face; fewer let in textures
_HALF_SCORE_MARGIN: Final = 3.0


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Args:
        box: left, top, right, bottom, in pixels of the picture.
        score: how sure the detector is, 0 to 1; comparable within one detector only.
    """

    box: tuple[int, int, int, int]
    score: float


class HaarDetector:
    """OpenCV's frontal-face cascade, which comes inside OpenCV: nothing has to be downloaded.

    Source: Viola and Jones, Rapid Object Detection using a Boosted Cascade of Simple Features,
    2001; the trained cascade is Rainer Lienhart's.
    """

    def __init__(self) -> None:
        path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise MienError(f"{path}: OpenCV came without its cascade; reinstall opencv")

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in a picture, the largest first.

        Shape: image uint8 (height, width, 3) or (height, width).
        """
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
        height, width = gray.shape
        scale = min(1.0, _LONGEST_SIDE_PX / max(height, width))
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        smallest = max(24, round(min(gray.shape) * _SMALLEST_FACE))  # 24: the cascade's own window
        boxes, _, margins = self._cascade.detectMultiScale3(
            gray,
            scaleFactor=_SCALE_STEP,
            minNeighbors=_LEAST_NEIGHBOURS,
            minSize=(smallest, smallest),
            outputRejectLevels=True,
        )
        faces = [
            Face(_to_picture(box, scale, width, height), _score(float(margin)))
            for box, margin in zip(boxes, np.ravel(margins), strict=True)
        ]
        return sorted(faces, key=lambda face: -_area(face.box))


def _to_picture(
    box: Sequence[int], scale: float, width: int, height: int
) -> tuple[int, int, int, int]:
    x, y, w, h = (float(value) / scale for value in box)
    return (
        max(0, round(x)),
        max(0, round(y)),
        min(width, round(x + w)),
        min(height, round(y + h)),
    )


def _score(margin: float) -> float:
    """Bring the cascade's margin, which has no upper end, to 0 to 1: 3 gives a half, 9 0.75."""
    margin = max(0.0, margin)
    return margin / (margin + _HALF_SCORE_MARGIN)


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
