from __future__ import annotations

import numpy as np
import pytest
from tests.vision.made import ASTRONAUT

import mien


def test_a_photo_is_explained_in_one_call():
    (face,) = mien.explain_photo(ASTRONAUT)
    assert face.face.reading.emotion == "happy"
    assert face.cam is not None
    assert face.cam.shape == face.occlusion.shape == face.face.crop.shape
    assert 0 < face.drop <= 1


def test_without_a_face_nothing_is_explained_and_what_is_no_photo_is_said():
    assert mien.explain_photo(np.zeros((64, 64, 3), np.uint8)) == []
    with pytest.raises(mien.SourceError, match="no such file"):
        mien.explain_photo("nowhere.jpg")
