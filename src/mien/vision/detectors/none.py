"""No detection, for pictures that are face crops already, such as those of data sets."""

from __future__ import annotations

from mien.types import Image
from mien.vision.detectors.base import DETECTORS, LONGEST_SIDE_PX, Detector, Face


@DETECTORS.register("none")
class WholePicture(Detector):
    """Takes every picture as one face."""

    name = "none"

    def detect(self, image: Image, *, longest_side_px: int = LONGEST_SIDE_PX) -> list[Face]:
        """Return the whole picture as one face, of score 1."""
        height, width = image.shape[:2]
        return [Face((0, 0, width, height), 1.0)]
