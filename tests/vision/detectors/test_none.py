from __future__ import annotations

import numpy as np
from tests.vision.made import ASTRONAUT

from mien.vision.detectors.none import WholePicture


def test_a_picture_is_one_face():
    (face,) = WholePicture().detect(np.zeros((48, 60, 3), np.uint8))
    assert face.box == (0, 0, 60, 48)
    (face,) = WholePicture().detect(ASTRONAUT)
    assert (face.box, face.score, face.tilt_degrees) == ((0, 0, 512, 512), 1.0, 0.0)
