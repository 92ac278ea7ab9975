"""The contract of every detector in the registry, and of those of installed plugins."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.vision.made import ASTRONAUT

from mien.errors import MienError
from mien.vision.detectors._yunet_file import FILE_NAME
from mien.vision.detectors.base import AUTO, DETECTORS, Detector, choose_detector

SMALL = cv2.resize(ASTRONAUT, None, fx=0.6, fy=0.6)
PICTURES = {
    "a photo": ASTRONAUT,
    "gray": cv2.cvtColor(ASTRONAUT, cv2.COLOR_BGR2GRAY),
    "two faces": np.hstack([np.pad(SMALL, ((0, 205), (0, 0), (0, 0))), ASTRONAUT]),
    "black": np.zeros((240, 320, 3), np.uint8),
    "white": np.full((240, 320), 255, np.uint8),
    "a pixel": np.zeros((1, 1, 3), np.uint8),
    "a line": np.zeros((2, 500), np.uint8),
    "tall": np.zeros((700, 37, 3), np.uint8),
}  # fmt: skip


@pytest.fixture(params=DETECTORS.names())
def detector(request, planted, cache) -> Detector:
    """Every detector, ready as `Reader` makes it; YuNet's file is the stand-in."""
    cache.mkdir(parents=True)
    (cache / FILE_NAME).write_bytes(planted.read_bytes())
    return choose_detector(request.param).build()


@pytest.mark.parametrize("picture", PICTURES)
def test_faces_lie_in_the_picture_and_come_largest_first(detector, picture):
    image = PICTURES[picture]
    before = image.copy()
    height, width = image.shape[:2]
    areas = []
    for longest_side_px in (1280, 200):
        for face in detector.detect(image, longest_side_px=longest_side_px):
            left, top, right, bottom = face.box
            assert all(isinstance(edge, int) for edge in face.box)
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
            assert 0 < face.score <= 1
            assert -180 <= face.tilt_degrees <= 180
            areas.append((right - left) * (bottom - top))
        assert areas == sorted(areas, reverse=True)
        areas.clear()
    np.testing.assert_array_equal(image, before)  # which is not drawn on


def test_nothing_or_the_whole_picture_is_found_where_nothing_is(detector):
    assert [face.box for face in detector.detect(PICTURES["black"])] in ([], [(0, 0, 320, 240)])


def test_a_detector_is_registered_by_its_own_name(detector):
    assert DETECTORS[detector.name] is type(detector)
    assert detector.name != AUTO


@pytest.mark.parametrize("name", DETECTORS.names())
def test_a_file_that_is_none_of_its_own_is_refused(name, tmp_path, planted, cache):
    with pytest.raises(MienError, match=r"takes no detector model|no such file"):
        choose_detector(name, tmp_path / "nowhere.onnx")
