"""YuNet by a stand-in (see ``tests/vision/conftest.py``): its own file is not in the repository."""

from __future__ import annotations

import numpy as np
import pytest
from tests.vision.conftest import FACE_PX, TILT_DEGREES

from mien.errors import MienError
from mien.vision.detectors.yunet import YuNetDetector


def dark(height=240, width=320):
    return np.zeros((height, width, 3), np.uint8)


def test_boxes_scores_and_tilt(planted_yunet):
    picture = dark()
    picture[80:88, 160:168] = 255
    (face,) = YuNetDetector(planted_yunet).detect(picture)
    half = FACE_PX // 2
    assert face.box == (164 - half, 84 - half, 164 + half, 84 + half)
    assert face.score == 1
    assert face.tilt_degrees == pytest.approx(TILT_DEGREES, abs=0.1)


def test_gray_pictures_and_every_size_are_searched(planted_yunet):
    detector = YuNetDetector(planted_yunet)
    for shape in ((240, 320), (37, 41), (1, 1), (700, 500)):
        assert detector.detect(np.zeros(shape, np.uint8)) == []
    gray = np.zeros((240, 320), np.uint8)
    gray[80:88, 160:168] = 255
    assert len(detector.detect(gray)) == 1


def test_boxes_are_in_the_pictures_own_pixels_and_inside_it(planted_yunet):
    large = dark(960, 1280)
    large[320:352, 640:672] = 255  # a cell of 8×8 once shrunk to a quarter
    (face,) = YuNetDetector(planted_yunet).detect(large, longest_side_px=320)
    assert np.allclose(face.box, (576, 256, 736, 416), atol=4)
    corner = dark()
    corner[:8, :8] = 255
    (face,) = YuNetDetector(planted_yunet).detect(corner)
    assert face.box == (0, 0, 4 + FACE_PX // 2, 4 + FACE_PX // 2)


def test_a_file_that_is_no_network_is_said(tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_text("<html>not found</html>")
    with pytest.raises(MienError, match="cannot load it as YuNet"):
        YuNetDetector(path)
