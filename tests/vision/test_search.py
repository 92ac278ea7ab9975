from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.vision.made import ASTRONAUT, ASTRONAUT_FACE, overlap

from mien.vision.alignment import cut_face
from mien.vision.detectors.base import Detector, Face
from mien.vision.detectors.haar import HaarDetector
from mien.vision.search import FaceSearch, find_faces

ALL = FaceSearch(min_score=0.4)  # Haar also sees a face in the wall behind the astronaut
TURNED = FaceSearch(min_score=0.4, turned=True)
HEIGHT, WIDTH = ASTRONAUT.shape[:2]
TURNS = [
    (cv2.ROTATE_90_CLOCKWISE, 90),
    (cv2.ROTATE_90_COUNTERCLOCKWISE, -90),
    (cv2.ROTATE_180, 180),
]


class Given(Detector):
    """Finds the same faces in every picture."""

    name = "given"

    def __init__(self, *faces):
        self._faces = list(faces)

    def detect(self, image, *, longest_side_px=1280):
        return self._faces


def marked(box) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    return mask


def box_of(mask: np.ndarray):
    rows, columns = np.nonzero(mask)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize(("rotation", "tilt_degrees"), TURNS)
@pytest.mark.parametrize("rows", [slice(None), slice(0, 300)], ids=["square", "wide"])
def test_turned_faces_are_found_and_stand_upright_in_their_crops(rotation, tilt_degrees, rows):
    upright = np.ascontiguousarray(ASTRONAUT[rows])
    image = cv2.rotate(upright, rotation)
    place = box_of(cv2.rotate(np.ascontiguousarray(marked(ASTRONAUT_FACE)[rows]), rotation))
    detector = HaarDetector()
    assert find_faces(detector, image, longest_side_px=1280, search=ALL) == []
    (face,) = find_faces(detector, image, longest_side_px=1280, search=TURNED)
    assert overlap(face.box, place) > 0.7
    assert face.tilt_degrees % 360 == tilt_degrees % 360
    (original,) = find_faces(detector, upright, longest_side_px=1280, search=ALL)
    crops = [
        cv2.resize(cut_face(one, found, 0.0), (48, 48)).astype(int)
        for one, found in ((upright, original), (image, face))
    ]
    assert np.abs(crops[0] - crops[1]).mean() < 12
    assert np.abs(crops[0] - crops[1][::-1]).mean() > 25


def test_an_upright_face_is_found_once_though_the_picture_is_turned():
    detector = HaarDetector()
    found = find_faces(detector, ASTRONAUT, longest_side_px=1280, search=TURNED)
    assert found == find_faces(detector, ASTRONAUT, longest_side_px=1280, search=ALL)


def test_of_a_face_found_in_two_orientations_the_better_one_is_kept():
    class Oblique(Detector):
        name = "oblique"
        scores = iter([0.7, 0.8, 0.9, 0.6])  # upright, then for tilts of 90, 180 and -90 degrees

        def detect(self, image, *, longest_side_px=1280):
            return [Face((20, 20, 60, 60), next(self.scores), 5.0)]

    image = np.zeros((80, 80, 3), np.uint8)
    (face,) = find_faces(Oblique(), image, longest_side_px=80, search=FaceSearch(turned=True))
    assert face == Face((20, 20, 60, 60), 0.9, -175.0)


@pytest.mark.parametrize(
    ("search", "left"),
    [
        (FaceSearch(), [0, 1, 2]),
        (FaceSearch(min_size_px=30), [0, 1]),
        (FaceSearch(min_size_px=31), [0]),
        (FaceSearch(min_score=0.8), [0, 2]),
        (FaceSearch(min_size_px=20, min_score=0.9), [2]),
        (FaceSearch(min_size_px=21, min_score=0.9), []),
    ],
)
def test_small_and_doubtful_faces_are_left_out(search, left):
    faces = [Face((0, 0, 50, 60), 0.8), Face((0, 0, 30, 60), 0.7), Face((50, 50, 70, 72), 0.9)]
    found = find_faces(
        Given(*faces), np.zeros((99, 99), np.uint8), longest_side_px=9, search=search
    )
    assert found == [faces[index] for index in left]
