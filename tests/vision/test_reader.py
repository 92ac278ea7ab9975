from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage

from mien.emotions import EMOTIONS
from mien.errors import SourceError
from mien.runtime.bundle import Bundle, find_bundle
from mien.runtime.export import update_metadata
from mien.vision import Reader, read
from mien.vision.detect import HaarDetector
from mien.vision.draw import draw_readings
from mien.vision.reader import cut_face
from mien.vision.reading import Reading

DATA = Path(skimage.__file__).parent / "data"
ASTRONAUT = DATA / "astronaut.png"
FACE = (177, 66, 272, 161)  # where Eileen Collins's face is, by eye


def overlap(left, right) -> float:
    width = min(left[2], right[2]) - max(left[0], right[0])
    height = min(left[3], right[3]) - max(left[1], right[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (left, right)]
    return shared / (sum(areas) - shared)


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.fixture(scope="module")
def astronaut():
    return cv2.imread(str(ASTRONAUT))


def test_the_astronaut_is_found_and_read(reader):
    (reading,) = reader.read(ASTRONAUT)
    assert reading.source == str(ASTRONAUT)
    assert overlap(reading.box, FACE) > 0.7
    assert reading.emotion == "happy"
    assert list(reading.probabilities) == list(EMOTIONS)
    assert sum(reading.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert 0 < reading.score <= 1


def test_path_array_and_gray_give_the_same_reading(reader, astronaut):
    (from_path,) = reader.read(ASTRONAUT)
    (from_array,) = reader.read(astronaut)
    (from_gray,) = reader.read(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY))
    assert from_array.probabilities == from_path.probabilities == from_gray.probabilities
    assert read(str(ASTRONAUT)) == [from_path]


@pytest.mark.parametrize(("threshold", "uncertain"), [(0.0, False), (1.0, True)])
def test_below_the_bundles_threshold_a_reading_is_uncertain(threshold, uncertain, tmp_path):
    path = tmp_path / "own.onnx"
    path.write_bytes(find_bundle().read_bytes())
    bundle = Bundle(path)
    update_metadata(bundle, bundle.metadata.model_copy(update={"uncertain_below": threshold}))
    (reading,) = read(ASTRONAUT, path)
    assert reading.uncertain is uncertain
    assert reading.as_dict()["uncertain"] is uncertain
    assert reading.emotion == "happy"  # it stays the most probable one


@pytest.mark.parametrize("scale", [0.5, 2, 6])
def test_boxes_are_in_the_pictures_own_pixels(reader, astronaut, scale):
    picture = cv2.resize(astronaut, None, fx=scale, fy=scale)
    reading = reader.read(picture)[0]
    assert overlap(reading.box, [scale * edge for edge in FACE]) > 0.6


def test_several_faces_come_largest_first(reader, astronaut):
    small = cv2.resize(astronaut, None, fx=0.6, fy=0.6)
    canvas = np.full((512, 512 + small.shape[1], 3), 90, np.uint8)
    canvas[:, :512] = astronaut
    canvas[: small.shape[0], 512:] = small
    readings = reader.read(canvas)
    assert len(readings) == 2
    assert overlap(readings[0].box, FACE) > 0.7
    assert readings[1].box[0] > 512


@pytest.mark.parametrize("name", ["coffee.png", "brick.png", "grass.png", "moon.png"])
def test_pictures_without_faces_have_none(reader, name):
    path = DATA / name
    if path.is_file():
        assert reader.read(path) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3), (500, 2), (30, 30), (24, 24, 3)])
def test_pictures_of_any_size_are_taken(reader, shape):
    assert reader.read(np.full(shape, 127, np.uint8)) == []


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((50, 50, 3), np.float32),
        np.zeros((50, 50, 4), np.uint8),
        np.zeros((0, 5), np.uint8),
    ],
)
def test_other_arrays_are_refused(reader, picture):
    with pytest.raises(SourceError, match="expected uint8"):
        reader.read(picture)


def test_what_is_no_photo_is_said(reader, tmp_path):
    (tmp_path / "text.jpg").write_text("I am text")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name, expected in (
        ("nowhere.jpg", "no such file"),
        ("text.jpg", "cannot be decoded"),
        ("empty.jpg", "is empty"),
        (".", "a folder"),
    ):
        with pytest.raises(SourceError, match=expected):
            reader.read(tmp_path / name)


def test_a_name_need_not_be_ascii(reader, tmp_path):
    path = tmp_path / "фото 写真.png"
    path.write_bytes(ASTRONAUT.read_bytes())
    assert len(reader.read(path)) == 1


@pytest.mark.parametrize(
    ("box", "margin", "side"),
    [((10, 10, 30, 30), 0.0, 20), ((10, 10, 30, 30), 0.25, 30), ((0, 0, 20, 10), 0.0, 20),
     ((-5, -5, 5, 5), 0.0, 10), ((90, 90, 110, 110), 0.5, 40)],
)  # fmt: skip
def test_a_cut_is_square_and_centred_also_at_the_edge(box, margin, side):
    y, x = np.mgrid[:100, :100].astype(np.uint8)
    cut = cut_face(np.ascontiguousarray(x), box, margin)
    assert cut.shape == (side, side)
    first = round((box[0] + box[2] - side) / 2)
    expected = np.clip(np.arange(first, first + side), 0, 99)
    np.testing.assert_array_equal(cut[0], expected)
    assert y.shape == (100, 100)


def test_drawing_marks_the_face_and_leaves_the_picture_alone(astronaut):
    before = astronaut.copy()
    readings = [Reading("", FACE, 0.9, "happy", dict.fromkeys(EMOTIONS, 1 / 7))]
    drawn = draw_readings(astronaut, readings)
    np.testing.assert_array_equal(astronaut, before)
    changed = (drawn != astronaut).any(2)
    assert changed[66:162, 177].mean() > 0.9  # the box's left edge
    assert not changed[300:].any()
    assert draw_readings(astronaut[..., 0], readings).shape == astronaut.shape


@pytest.mark.parametrize("box", [(0, 0, 40, 40), (480, 480, 512, 512), (500, 0, 512, 12)])
def test_a_label_stays_inside_the_picture(box):
    readings = [Reading("", box, 0.9, "surprise", dict.fromkeys(EMOTIONS, 1 / 7))]
    blank = np.zeros((512, 512, 3), np.uint8)
    drawn = draw_readings(blank, readings)
    bar = (drawn == np.array([0xEE, 0xCC, 0x66], np.uint8)).all(2)
    assert bar.sum() > 80 * 15


def test_a_large_picture_is_shrunk_for_detection_and_boxes_are_mapped_back(astronaut):
    largest = HaarDetector().detect(cv2.resize(astronaut, (4096, 4096)))[0]
    assert overlap(largest.box, [8 * edge for edge in FACE]) > 0.7
