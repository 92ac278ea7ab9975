from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.curation.checks.base import Subject
from mien.curation.checks.bordered import Bordered, border_widths
from mien.data.duplicates.groups import find_duplicates
from mien.data.synthetic.faces import synthetic_faces
from mien.images.crop import CropSpec
from mien.labels import LabelSet


def test_borders_are_measured_in_pixels():
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
    images[1, :5] = 7
    images[2, :, -9:] = np.random.default_rng(1).integers(0, 4, (48, 9))
    images[3] = 200
    assert border_widths(images).tolist() == [0, 5, 9, 48]


def test_a_border_in_colour_is_one_colour_and_a_twelfth_of_the_side():
    drawn = synthetic_faces(6, label_set=LabelSet(("a", "b")), crop=CropSpec(96, 3))
    images = np.random.default_rng(0).integers(0, 256, drawn.images.shape, np.uint8)
    images[1, :7] = (90, 10, 200)
    images[2, :, -8:] = (90, 10, 200)
    images[3, :9, :, 0] = 5  # of one red, but not of one colour
    assert border_widths(images).tolist() == [0, 7, 8, 0, 0, 0]
    faces = replace(drawn, images=images)
    (found,) = Bordered().find(Subject(faces, find_duplicates(images)))
    assert found.title == "1 image has a border of 8 px or more"
    assert found.items[0].images[0].id == faces.ids[2]
