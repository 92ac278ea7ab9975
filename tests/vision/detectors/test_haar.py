from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.vision.made import ASTRONAUT, ASTRONAUT_FACE, overlap

from mien.vision.detectors.haar import HaarDetector, _score


def test_the_astronauts_face_is_found_and_no_eyes():
    (face,) = HaarDetector().detect(ASTRONAUT)
    assert overlap(face.box, ASTRONAUT_FACE) > 0.7
    assert face.tilt_degrees == 0


def test_a_large_picture_is_shrunk_for_detection_and_boxes_are_mapped_back():
    largest = HaarDetector().detect(cv2.resize(ASTRONAUT, (4096, 4096)))[0]
    assert overlap(largest.box, [8 * edge for edge in ASTRONAUT_FACE]) > 0.7


@pytest.mark.parametrize("longest_side_px", [1280, 320])
@pytest.mark.parametrize("width", [95, 80])
def test_a_face_that_fills_the_picture_is_found(longest_side_px, width):
    left, top, _, bottom = ASTRONAUT_FACE
    cut = ASTRONAUT[top:bottom, left : left + width]
    for height in (640, 2000):
        picture = cv2.resize(cut, None, fx=height / 95, fy=height / 95)
        largest = HaarDetector().detect(picture, longest_side_px=longest_side_px)[0]
        assert overlap(largest.box, (0, 0, picture.shape[1], height)) > 0.6


@pytest.mark.parametrize(
    "shape", [(1, 1), (16, 16), (23, 24), (1, 5000), (5000, 3), (20, 640), (64, 31)]
)
def test_thin_and_tiny_pictures_are_searched(shape):
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert HaarDetector().detect(noise) == []
    assert HaarDetector().detect(noise, longest_side_px=20) == []


def test_scores_have_no_bounds_only_before_they_are_mapped():
    scores = [_score(margin) for margin in (-50.0, 0.0, 3.0, 9.0, 1e9)]
    assert scores == sorted(scores)
    assert scores[0] > 0
    assert scores[2:4] == [0.5, 0.75]
    assert scores[-1] <= 1
