from __future__ import annotations

from mien.vision.detectors.base import Face
from mien.vision.overlap import without_duplicates


def test_of_boxes_that_overlap_the_one_of_the_highest_score_is_kept():
    faces = [Face((0, 0, 100, 100), 0.7), Face((10, 0, 110, 100), 0.9), Face((90, 0, 190, 99), 0.8)]
    assert without_duplicates(faces, 0.3) == [faces[1], faces[2]]
    assert without_duplicates(reversed(faces), 0.3) == [faces[1], faces[2]]


def test_a_part_of_a_face_is_no_second_one():
    whole, nose = Face((0, 0, 100, 100), 0.9), Face((40, 50, 60, 70), 0.8)
    beside = Face((90, 90, 110, 110), 0.8)  # a quarter of it is inside
    assert without_duplicates([nose, whole, beside], 0.3) == [whole, beside]
    better = Face(nose.box, 0.95)
    assert without_duplicates([whole, better], 0.3) == [better]
    assert without_duplicates([better], 0.3, sure=[whole]) == [whole]


def test_boxes_without_an_area_are_no_faces_and_the_largest_comes_first():
    small, large = Face((0, 0, 10, 10), 0.9), Face((50, 50, 90, 90), 0.8)
    assert without_duplicates([Face((5, 5, 5, 9), 1.0), small, large], 0.3) == [large, small]
    assert without_duplicates([], 0.3) == []
