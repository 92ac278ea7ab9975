from __future__ import annotations

import numpy as np
import pytest
from tests.vision.made import ASTRONAUT, ASTRONAUT_FACE
from tests.vision.sinks.made import frame, reading

from mien.labels import EMOTIONS
from mien.vision.reading import Reading
from mien.vision.sinks._drawing import draw_readings


def test_drawing_marks_the_face_and_leaves_the_picture_alone():
    astronaut = ASTRONAUT.copy()
    before = astronaut.copy()
    readings = [Reading("", ASTRONAUT_FACE, 0.9, "happy", dict.fromkeys(EMOTIONS, 1 / 7))]
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


def test_a_label_names_the_track():
    blank = frame().image
    one, other = (draw_readings(blank, [reading(frame(), track)]) for track in (None, 3))
    assert (one != other).any()
