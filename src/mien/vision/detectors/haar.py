"""The Haar cascade for frontal faces, which is part of OpenCV: nothing has to be downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.errors import MienError
from mien.types import Image
from mien.vision.detectors._geometry import original_box, shrink
from mien.vision.detectors.base import DETECTORS, LONGEST_SIDE_PX, Detector, Face
from mien.vision.overlap import without_duplicates

_MIN_FACE: Final = 1 / 30  # smallest face, as a share of the picture's shorter side
_WINDOW_PX: Final = 24  # of the cascade: no smaller face can be found
_SCALE_STEP: Final = 1.1
_MIN_NEIGHBOURS: Final = 6  # overlapping hits that make a face; with fewer, textures become faces
_MAX_OVERLAP: Final = 0.3  # two boxes with a higher overlap are one face
_CLOSE_UP_SIDE_PX: Final = 240
_CLOSE_UP_BORDER: Final = 0.25  # on each side, as a share of the longer side
_MIN_CLOSE_UP: Final = 0.5  # smallest face of that search, as a share of the shorter side
_HALF_SCORE_MARGIN: Final = 3.0
_LEAST_MARGIN: Final = 0.03  # a score of 0.01; the margins of some faces are negative


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
        """Return the faces in a picture, the largest first (see `Detector`).

        The cascade needs something around a face. Photos, and frames in which no face was found,
        are therefore searched again, small and with a border, for a face that fills the picture.
        """
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
        shrunk, scale = shrink(np.asarray(gray, np.uint8), longest_side_px)
        faces = self._search(shrunk, scale, image, min_share=_MIN_FACE)
        close_ups: list[Face] = []
        if not faces or longest_side_px >= LONGEST_SIDE_PX:
            small, more = shrink(shrunk, min(longest_side_px, _CLOSE_UP_SIDE_PX))
            border_px = round(max(small.shape) * _CLOSE_UP_BORDER)
            close_ups = self._search(
                small, scale * more, image, min_share=_MIN_CLOSE_UP, border_px=border_px
            )
        # At a fine scale, parts of a face that fills the picture have higher scores than all of it.
        return without_duplicates(faces, _MAX_OVERLAP, sure=close_ups)

    def _search(
        self, shrunk: Image, scale: float, image: Image, *, min_share: float, border_px: int = 0
    ) -> list[Face]:
        smallest_px = max(_WINDOW_PX, round(min(shrunk.shape) * min_share))
        px = border_px
        boxes, _, margins = self._cascade.detectMultiScale3(
            cv2.copyMakeBorder(shrunk, px, px, px, px, cv2.BORDER_CONSTANT) if px else shrunk,
            scaleFactor=_SCALE_STEP,
            minNeighbors=_MIN_NEIGHBOURS,
            minSize=(smallest_px, smallest_px),
            outputRejectLevels=True,
        )
        return [
            Face(
                original_box((x - border_px, y - border_px, width, height), scale, image),
                _score(float(margin)),
            )
            for (x, y, width, height), margin in zip(boxes, np.ravel(margins), strict=True)
        ]


def _score(margin: float) -> float:
    """Map the cascade's margin, which has no bounds, to 0 to 1: 3 gives 0.5, 9 gives 0.75."""
    margin = max(_LEAST_MARGIN, margin)
    return margin / (margin + _HALF_SCORE_MARGIN)
