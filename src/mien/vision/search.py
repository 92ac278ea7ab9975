"""Search a picture for faces as the user wants: turned ones too, and none that is too small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mien.errors import MienError
from mien.types import Image
from mien.vision.detectors.base import Detector, Face
from mien.vision.overlap import without_duplicates
from mien.vision.reading import Box

_MAX_OVERLAP: Final = 0.3  # two boxes with a higher overlap are one face


@dataclass(frozen=True)
class FaceSearch:
    """The faces that are wanted; by default, all upright ones that the detector finds.

    Args:
        min_size_px: least length of the shorter side of a face's box, in pixels of the picture.
        min_score: least confidence of the detector, 0 to 1.
        turned: True to search the picture in four orientations, for sideways and upside-down
            faces as well; this takes at least four times as long.

    Raises:
        MienError: if `min_size_px` is negative, or `min_score` is not a number from 0 to 1.
    """

    min_size_px: int = 0
    min_score: float = 0.0
    turned: bool = False

    def __post_init__(self) -> None:
        if self.min_size_px < 0:
            raise MienError(f"least face size = {self.min_size_px}: expected 0 pixels or more")
        if not 0 <= self.min_score <= 1:
            raise MienError(f"least face score = {self.min_score}: expected a number from 0 to 1")


def find_faces(
    detector: Detector, image: Image, *, longest_side_px: int, search: FaceSearch
) -> list[Face]:
    """Return the wanted faces in a picture, the largest first.

    The tilt of a turned face is about 90, -90 or 180 degrees, so that it is read upright.

    Args:
        detector: detector of this thread.
        image: pixels of the picture.
        longest_side_px: side to which a larger picture is shrunk before it is searched.
        search: faces that are wanted.

    Shape: image uint8 (height, width, 3), blue-green-red, or gray (height, width).
    """
    faces = detector.detect(image, longest_side_px=longest_side_px)
    if search.turned:
        for quarters in (1, 2, 3):
            rotated = np.ascontiguousarray(np.rot90(image, quarters))  # counterclockwise
            found = detector.detect(rotated, longest_side_px=longest_side_px)
            faces += [_turned_back(face, quarters, image) for face in found]
        faces = without_duplicates(faces, _MAX_OVERLAP)  # of equal scores, the upright one is kept
    return [face for face in faces if _is_wanted(face, search)]


def _turned_back(face: Face, quarters: int, image: Image) -> Face:
    """Return a face of a picture that was rotated counterclockwise, in the original's pixels."""
    height, width = image.shape[:2]
    left, top, right, bottom = face.box
    boxes: dict[int, Box] = {
        1: (width - bottom, left, width - top, right),
        2: (width - right, height - bottom, width - left, height - top),
        3: (top, height - right, bottom, height - left),
    }
    # A face that is upright once rotated counterclockwise was turned clockwise before.
    tilt = face.tilt_degrees + 90 * quarters
    return replace(face, box=boxes[quarters], tilt_degrees=180 - (180 - tilt) % 360)


def _is_wanted(face: Face, search: FaceSearch) -> bool:
    left, top, right, bottom = face.box
    is_large_enough = min(right - left, bottom - top) >= search.min_size_px
    return is_large_enough and face.score >= search.min_score
