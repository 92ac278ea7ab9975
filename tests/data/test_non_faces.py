from __future__ import annotations

import cv2
import numpy as np

from mien.data.non_faces import draw_non_faces


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


def test_none_is_a_face_as_it_was(faces):
    """Nor one in another light: no crop correlates with the face that it was made of."""
    one = np.repeat(faces.images[:1], 2, axis=0)
    face = cv2.resize(one[0], (12, 12), interpolation=cv2.INTER_AREA).ravel()
    for image in draw_non_faces(one, 210):
        small = cv2.resize(image, (12, 12), interpolation=cv2.INTER_AREA).ravel()
        assert np.corrcoef(face, small)[0, 1] < 0.9
