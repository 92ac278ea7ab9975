from __future__ import annotations

import numpy as np

from mien.explain.neighbours import nearest_faces


def test_a_face_is_nearest_to_itself_and_to_faces_with_its_mouth(mouths):
    found = nearest_faces(mouths.classifier, mouths.images, mouths.images)
    assert found.shape == (len(mouths.images), 5)
    assert np.array_equal(found[:, 0], np.arange(len(found)))
    same = mouths.labels[found] == mouths.labels[:, None]
    assert same.mean() > 0.9


def test_there_may_be_fewer_than_asked_for(mouths):
    found = nearest_faces(mouths.classifier, mouths.images[:2], mouths.images[:3])
    assert found.shape == (2, 3)
