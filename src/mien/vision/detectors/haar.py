"""The Haar cascade for frontal faces, which is part of OpenCV: nothing has to be downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.errors import MienError
from mien.types import Image
from mien.vision.detectors._geometry import largest_first, original_box, shrink
from mien.vision.detectors.base import DETECTORS, LONGEST_SIDE_PX, Detector, Face

_MIN_FACE: Final = 1 / 30  # smallest face, as a share of the picture's shorter side
_WINDOW_PX: Final = 24  # of the cascade: no smaller face can be found
_SCALE_STEP: Final = 1.1
_MIN_NEIGHBOURS: Final = 6  # overlapping hits that make a face; with fewer, textures become faces
_HALF_SCORE_MARGIN: Final = 3.0


@DETECTORS.register("haar")
class HaarDetector(Detector):
    """OpenCV's Haar cascade; it misses turned and small faces, and does not locate eyes.

    Raises:
        MienError: if OpenCV was installed without its cascades.

    Source: Viola and Jones, Rapid Object Detection using a Boosted Cascade of Simple Features,
    2001; the trained cascade is Rainer Lienhart's.
    """

    name = "haar"

    def __init__(self) -> None:
        path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise MienError(f"{path}: OpenCV came without its cascade; reinstall opencv")

    def detect(self, image: Image, *, longest_side_px: int = LONGEST_SIDE_PX) -> list[Face]:
        """Return the faces in a picture, the largest first (see `Detector`)."""
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
        shrunk, scale = shrink(np.asarray(gray, np.uint8), longest_side_px)
        smallest_px = max(_WINDOW_PX, round(min(shrunk.shape) * _MIN_FACE))
        boxes, _, margins = self._cascade.detectMultiScale3(
            shrunk,
            scaleFactor=_SCALE_STEP,
            minNeighbors=_MIN_NEIGHBOURS,
            minSize=(smallest_px, smallest_px),
            outputRejectLevels=True,
        )
        return largest_first(
            Face(original_box(box, scale, image), _score(float(margin)))
            for box, margin in zip(boxes, np.ravel(margins), strict=True)
        )


def _score(margin: float) -> float:
    """Map the cascade's margin, which has no upper bound, to 0 to 1: 3 gives 0.5, 9 gives 0.75."""
    margin = max(0.0, margin)
    return margin / (margin + _HALF_SCORE_MARGIN)
