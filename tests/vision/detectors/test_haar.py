from __future__ import annotations

import cv2
from tests.vision.made import ASTRONAUT, ASTRONAUT_FACE, overlap

from mien.vision.detectors.haar import HaarDetector


def test_the_astronauts_face_is_found_and_no_eyes():
    (face,) = HaarDetector().detect(ASTRONAUT)
    assert overlap(face.box, ASTRONAUT_FACE) > 0.7
    assert face.tilt_degrees == 0


def test_a_large_picture_is_shrunk_for_detection_and_boxes_are_mapped_back():
    largest = HaarDetector().detect(cv2.resize(ASTRONAUT, (4096, 4096)))[0]
    assert overlap(largest.box, [8 * edge for edge in ASTRONAUT_FACE]) > 0.7
