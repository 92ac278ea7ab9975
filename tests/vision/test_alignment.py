from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.memory import at_most, needs_linux

from mien.images.crop import CropSpec, to_crop
from mien.vision.alignment import crop_face, cut_face
from mien.vision.detectors.base import Face


def picture():
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (30, 40), np.uint8)
    return cv2.resize(noise, (400, 300), interpolation=cv2.INTER_CUBIC)


def test_a_level_face_is_cut_to_the_pixel():
    image = picture()
    cut = cut_face(image, Face((50, 60, 150, 160), 1.0), 0.0)
    assert np.array_equal(cut, image[60:160, 50:150])
    assert np.array_equal(crop_face(image, Face((50, 60, 150, 160), 1.0), 0.0), to_crop(cut))


@pytest.mark.parametrize("box", [(50, 60, 110, 160), (50, 60, 150, 100)])
def test_the_cut_is_the_square_around_the_box(box):
    cut = cut_face(picture(), Face(box, 1.0), 0.0)
    assert cut.shape == (100, 100)
    assert cut_face(picture(), Face(box, 1.0), 0.25).shape == (150, 150)


@pytest.mark.parametrize(
    ("box", "margin", "side"),
    [((10, 10, 30, 30), 0.0, 20), ((10, 10, 30, 30), 0.25, 30), ((0, 0, 20, 10), 0.0, 20),
     ((-5, -5, 5, 5), 0.0, 10), ((90, 90, 110, 110), 0.5, 40)],
)  # fmt: skip
def test_a_cut_is_square_and_centred_also_at_the_edge(box, margin, side):
    columns = np.tile(np.arange(100, dtype=np.uint8), (100, 1))
    cut = cut_face(columns, Face(box, 1.0), margin)
    assert cut.shape == (side, side)
    first = round((box[0] + box[2] - side) / 2)
    expected = np.clip(np.arange(first, first + side), 0, 99)
    np.testing.assert_array_equal(cut[0], expected)


def test_beyond_the_picture_its_edge_is_repeated():
    cut = cut_face(picture(), Face((-30, 10, 70, 110), 1.0), 0.0)
    assert cut.shape == (100, 100)
    assert np.array_equal(cut[:, 30:], picture()[10:110, :70])
    assert (cut[:, :30] == cut[:, 30:31]).all()


@pytest.mark.parametrize("tilt", [-35.0, 12.0, 90.0])
def test_a_turned_face_comes_out_level(tilt):
    image = picture()
    # Turned clockwise around the middle of the box, as a person leaning to their left is seen.
    turn = cv2.getRotationMatrix2D((200, 150), -tilt, 1)
    turned = cv2.warpAffine(image, turn, (400, 300), flags=cv2.INTER_CUBIC)
    box = (150, 100, 250, 200)
    level = crop_face(turned, Face(box, 1.0, tilt), 0.0).astype(float)
    expected = crop_face(image, Face(box, 1.0), 0.0).astype(float)
    untouched = crop_face(turned, Face(box, 1.0), 0.0).astype(float)
    assert np.abs(level - expected).mean() < 0.2 * np.abs(untouched - expected).mean()


def test_colour_and_a_face_of_one_pixel():
    colour = cv2.cvtColor(picture(), cv2.COLOR_GRAY2BGR)
    assert crop_face(colour, Face((10, 10, 11, 11), 1.0), 0.0).shape == (48, 48)
    assert crop_face(colour, Face((10, 10, 90, 90), 1.0, 30.0), 0.2).shape == (48, 48)


@pytest.mark.parametrize("tilt", [0.0, 30.0])
def test_a_colour_crop_has_red_first_and_the_size_that_was_asked_for(tilt):
    image = np.zeros((200, 200, 3), np.uint8)
    image[...] = (10, 100, 200)  # blue, green, red
    face = Face((50, 50, 150, 150), 1.0, tilt)
    crop = crop_face(image, face, 0.1, CropSpec(112, 3))
    assert crop.shape == (112, 112, 3)
    assert (crop == (200, 100, 10)).all()
    of_gray = crop_face(picture(), face, 0.0, CropSpec(64, 3))
    np.testing.assert_array_equal(of_gray[..., 1], crop_face(picture(), face, 0.0, CropSpec(64)))


def test_a_turned_face_in_a_picture_too_wide_for_opencv_is_the_same():
    image = picture()
    wide = np.concatenate([np.zeros((300, 40_000), np.uint8), image], axis=1)
    face, far = (Face((left, 100, left + 100, 200), 1.0, 25.0) for left in (150, 40_150))
    np.testing.assert_array_equal(cut_face(wide, far, 0.2), cut_face(image, face, 0.2))


@needs_linux
@pytest.mark.parametrize("tilt", [0, 20])
@pytest.mark.parametrize("size", [(60_000, 1), (1, 60_000), (1_000_000, 1)])
def test_the_square_around_a_line_takes_little_memory(size, tilt):
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    with at_most(900):
        crop = crop_face(image, Face((0, 0, *size), 1.0, tilt), 0.0)
    assert crop.shape == (48, 48)
    assert (crop == 90).all()


def test_a_square_that_is_shrunk_first_shows_the_same():
    columns = np.tile(np.linspace(0, 255, 12_000).astype(np.uint8), (12, 1))
    shown = cut_face(columns, Face((0, 0, 12_000, 12), 1.0), 0.0)
    assert shown.shape == (10_000, 10_000)
    assert np.allclose(to_crop(shown)[0], to_crop(columns)[0].astype(int), atol=1)
