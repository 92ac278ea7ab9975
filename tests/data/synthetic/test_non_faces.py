from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.data.synthetic.faces import synthetic_faces
from mien.data.synthetic.non_faces import draw_non_faces
from mien.images.crop import CropSpec


def test_the_same_seed_draws_the_same_and_another_seed_others(faces):
    first, again, other = (draw_non_faces(faces.images, 35, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert all((one != another).any() for one, another in zip(first, other, strict=True))
    assert first.shape == (35, 48, 48)
    assert first.dtype == np.uint8


def test_each_is_a_picture_of_its_own(faces):
    drawn = draw_non_faces(faces.images, 350)
    assert len({image.tobytes() for image in drawn}) == 350
    assert drawn.reshape(350, -1).std(1).min() > 3


def test_none_has_half_a_face_left(faces):
    """No 24 rows or columns of a face, wherever they were moved, at most by a chance likeness."""
    one = faces.images[:1]
    halves = [part for turned in (one[0], one[0].T) for part in (turned[:24], turned[12:36])]
    for image in draw_non_faces(one, 210):
        for number, half in enumerate(halves):
            searched = image if number < 2 else image.T
            likeness = cv2.matchTemplate(searched, half.copy(), cv2.TM_CCOEFF_NORMED).max()
            assert likeness < 0.95


@pytest.mark.parametrize("crop", [CropSpec(24), CropSpec(64, 3), CropSpec(112, 3), CropSpec(49)])
def test_crops_of_any_shape_give_pictures_of_that_shape(crop):
    drawn = draw_non_faces(synthetic_faces(9, crop=crop).images, 70)
    assert (drawn.shape, drawn.dtype) == ((70, *crop.shape), np.uint8)
    assert len({image.tobytes() for image in drawn}) > 65
    assert drawn.reshape(70, -1).std(1).min() > 2
    if crop.channels == 3:
        assert (drawn.max(3) > drawn.min(3)).any((1, 2)).all()  # each has a colour
