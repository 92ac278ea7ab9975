"""One box for each face that several searches of a picture found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mien.vision.detectors.base import Face
from mien.vision.reading import Box

_CONTAINED: Final = 0.8  # share of the smaller box from which on it is a part of the larger one


def without_duplicates(
    faces: Iterable[Face], max_overlap: float, *, sure: Iterable[Face] = ()
) -> list[Face]:
    """Return the faces that have an area, one of each, the one of the highest score.

    Two boxes are one face if they overlap by more than `max_overlap`, or if one contains nearly all
    of the other, such as a nose that a search at a fine scale takes for a face. The largest face
    comes first.

    Args:
        faces: faces that several searches of one picture found; of equal scores, the first is kept.
        max_overlap: highest intersection over union of the boxes of two faces.
        sure: faces that are kept whatever their score, instead of those that they cover.
    """
    kept = list(sure)
    for face in sorted(faces, key=lambda face: -face.score):
        is_another = all(_are_apart(face.box, other.box, max_overlap) for other in kept)
        if is_another and _area(face.box) > 0:
            kept.append(face)
    return sorted(kept, key=lambda face: -_area(face.box))


def _are_apart(one: Box, other: Box, max_overlap: float) -> bool:
    shared = _area(
        (
            max(one[0], other[0]),
            max(one[1], other[1]),
            min(one[2], other[2]),
            min(one[3], other[3]),
        )
    )
    areas = _area(one), _area(other)
    return shared <= max_overlap * (sum(areas) - shared) and shared <= _CONTAINED * min(areas)


def _area(box: Box) -> int:
    left, top, right, bottom = box
    return max(0, right - left) * max(0, bottom - top)
