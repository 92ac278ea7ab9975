from __future__ import annotations

import numpy as np
import pytest
from tests.vision.made import ASTRONAUT, ASTRONAUT_FACE
from tests.vision.sinks.made import frame, reading

from mien.labels import FER2013, LabelSet
from mien.vision.reading import Reading
from mien.vision.sinks._drawing import draw_readings


def test_drawing_marks_the_face_and_leaves_the_picture_alone():
    astronaut = ASTRONAUT.copy()
    before = astronaut.copy()
    readings = [Reading("", ASTRONAUT_FACE, 0.9, "happy", dict.fromkeys(FER2013.names, 1 / 7))]
    drawn = draw_readings(astronaut, readings)
    np.testing.assert_array_equal(astronaut, before)
    changed = (drawn != astronaut).any(2)
    assert changed[66:162, 177].mean() > 0.9  # the box's left edge
    assert not changed[300:].any()
    assert draw_readings(astronaut[..., 0], readings).shape == astronaut.shape


@pytest.mark.parametrize("box", [(0, 0, 40, 40), (480, 480, 512, 512), (500, 0, 512, 12)])
def test_a_label_stays_inside_the_picture(box):
    readings = [Reading("", box, 0.9, "surprise", dict.fromkeys(FER2013.names, 1 / 7))]
    blank = np.zeros((512, 512, 3), np.uint8)
    drawn = draw_readings(blank, readings)
    bar = (drawn == np.array([0xEE, 0xCC, 0x66], np.uint8)).all(2)
    assert bar.sum() > 80 * 15


def test_a_label_names_the_track():
    blank = frame().image
    one, other = (draw_readings(blank, [reading(frame(), track)]) for track in (None, 3))
    assert (one != other).any()


@pytest.mark.parametrize("count", [3, 8, 20])
def test_the_colours_are_those_of_the_label_set(count):
    labels = LabelSet(tuple(f"class {number}" for number in range(count)))
    for name, colour in zip(labels.names, labels.colours, strict=True):
        found = [Reading("", (10, 60, 90, 110), 0.9, name, dict.fromkeys(labels.names, 1 / count))]
        drawn = draw_readings(np.zeros((120, 160, 3), np.uint8), found)
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        assert (drawn == np.array([blue, green, red], np.uint8)).all(2).sum() > 400


def test_names_that_opencv_cannot_write_are_written_without_accents_or_as_numbers():
    def drawn(*names):
        found = [Reading("", (10, 60, 90, 110), 0.9, names[0], dict.fromkeys(names, 0.5))]
        return draw_readings(np.zeros((120, 260, 3), np.uint8), found)

    np.testing.assert_array_equal(drawn("fröhlich", "müde"), drawn("frohlich", "mude"))
    np.testing.assert_array_equal(drawn("怒り", "喜び"), drawn("class 0", "other"))
