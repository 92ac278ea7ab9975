"""YuNet by a stand-in (see ``tests/vision/conftest.py``): its own file is not in the repository.

Faces of people are searched only where that file is.
"""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests.vision.conftest import FACE_PX, TILT_DEGREES
from tests.vision.made import ASTRONAUT, DATA, overlap

from mien.errors import MienError
from mien.vision.detectors.base import choose_detector, video_side_px
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


@pytest.mark.parametrize("damage", ["cut off", "empty"])
def test_a_damaged_file_is_said_in_one_line(planted_yunet, tmp_path, damage):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(planted_yunet.read_bytes()[:500] if damage == "cut off" else b"")
    with pytest.raises(MienError, match=r"yunet\.onnx: OpenCV .* cannot load it as YuNet") as error:
        YuNetDetector(path)
    assert "\n" not in str(error.value)


def test_a_file_that_has_gone_is_said(planted, tmp_path):
    path = Path(shutil.copy(planted, tmp_path / "mine.onnx"))
    choice = choose_detector("yunet", path)
    path.unlink()
    with pytest.raises(MienError, match=r"mine\.onnx: cannot be read \(No such file"):
        choice.build()


@pytest.mark.parametrize(
    "name", [b"caf\xe9 \xff.onnx", b"~mine.onnx", b"my copy.onnx", b"\xc3\xa9"]
)
def test_the_file_may_have_any_name(planted, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path(os.fsdecode(name))
    shutil.copy(planted, path)
    build = choose_detector("yunet", path).build
    picture = dark()
    picture[80:88, 160:168] = 255
    assert len(build().detect(picture)) == 1
    assert len(pickle.loads(pickle.dumps(build))().detect(picture)) == 1


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 5000), (5000, 1), (20, 640), (640, 20), (16, 16), (33, 33), (64, 31), (32, 64)],
)
def test_thin_and_tiny_pictures_give_the_same_each_time(planted_yunet, shape):
    used, fresh = YuNetDetector(planted_yunet), YuNetDetector(planted_yunet)
    white = np.full(shape, 255, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for side_px in (1280, 320):
        used.detect(np.full((700, 500), 255, np.uint8))  # other sizes leave other values behind
        for picture in (white, noise):
            found = used.detect(picture, longest_side_px=side_px)
            assert found == fresh.detect(picture, longest_side_px=side_px)
            for face in found:
                left, top, right, bottom = face.box
                assert 0 <= left < right <= shape[1]
                assert 0 <= top < bottom <= shape[0]


@pytest.mark.parametrize("number", [200.0, np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_make_no_face(planted_yunet, tmp_path, number):
    model = onnx.load(planted_yunet)
    (offsets,) = (one for one in model.graph.initializer if one.name == "bbox_offset8")
    values = np.array(numpy_helper.to_array(offsets))
    values[..., 2] = number  # logarithm of the width
    offsets.CopyFrom(numpy_helper.from_array(values, offsets.name))
    path = tmp_path / "wild.onnx"
    onnx.save(model, path)
    picture = dark()
    picture[80:88, 160:168] = 255
    assert YuNetDetector(planted_yunet).detect(picture)
    assert YuNetDetector(path).detect(picture) == []


def test_small_faces_are_searched_in_photos_only_and_found_once(planted_yunet):
    detector = YuNetDetector(planted_yunet)
    # Everywhere, also where two or four tiles meet: 16 px hold a whole cell of any grid.
    for left, top in [(5, 9), (1200, 30), (1283, 850), (860, 853), (2200, 1900), (2981, 1981)]:
        picture = dark(2000, 3000)
        picture[top : top + 16, left : left + 16] = 255
        (face,) = detector.detect(picture)
        middle = (left + 8, top + 8)
        assert face.box[0] <= middle[0] <= face.box[2]
        assert face.box[1] <= middle[1] <= face.box[3]
        assert max(np.subtract(face.box[2:], face.box[:2])) <= FACE_PX
        assert detector.detect(picture, longest_side_px=640) == []


def cut_around_the_face(share: float, width: int, height: int, shift=(0.0, 0.0)) -> np.ndarray:
    """The astronaut's face, whose height is a share of the picture's, in its middle or shifted."""
    middle = np.array([223.0, 119.0])
    scale = share * height / 113
    move = np.array([width / 2, height / 2]) - scale * middle + np.array(shift) * (width, height)
    matrix = np.array([[scale, 0, move[0]], [0, scale, move[1]]])
    return cv2.warpAffine(
        ASTRONAUT, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8, 1.0])
def test_close_ups_are_found(yunet_file, share):
    detector = YuNetDetector(yunet_file)
    for size in ((640, 480), (480, 640), (1280, 720), (1500, 2000), (4000, 3000)):
        for shift in ((0.0, 0.0), (-0.25, 0.1)):
            picture = cut_around_the_face(share, *size, shift)
            half = np.array([0.4, 0.5]) * share * size[1]
            middle = np.array(size) * (0.5 + np.array(shift))
            edges = np.clip([*(middle - half), *(middle + half)], 0, [*size, *size])
            for side_px in (1280, video_side_px(picture)):
                (face,) = detector.detect(picture, longest_side_px=side_px)
                assert overlap(face.box, edges) > 0.6


def test_faces_of_24_px_are_found_in_a_photo_of_4000(yunet_file):
    texture = cv2.imread(str(DATA / "coffee.png"))
    picture = cv2.resize(texture, (4000, 2667))
    head = cv2.resize(ASTRONAUT, None, fx=24 / 95, fy=24 / 95, interpolation=cv2.INTER_AREA)
    places = [(40, 40), (1900, 1200), (3860, 2500), (1240, 700), (2500, 90)]
    for left, top in places:
        picture[top : top + 129, left : left + 129] = head
    assert len(YuNetDetector(yunet_file).detect(picture)) == len(places)


@pytest.mark.parametrize("side_px", [640, 1280, 4000])
def test_pictures_without_people_have_no_faces(yunet_file, side_px):
    for name in ("brick.png", "chelsea.png", "page.png", "gravel.png"):
        texture = cv2.imread(str(DATA / name))
        scale = side_px / max(texture.shape)
        picture = cv2.resize(texture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        assert YuNetDetector(yunet_file).detect(picture) == []
