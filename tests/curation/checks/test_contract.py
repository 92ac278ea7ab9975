"""What every check of an audit must do; the cases come from the registry."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from mien.curation.checks.base import CHECKS, NotChecked, Subject
from mien.data.duplicates.groups import find_duplicates
from mien.data.synthetic.faces import synthetic_faces
from mien.images.crop import CropSpec
from mien.labels import FER2013, LabelSet


@pytest.fixture(params=CHECKS.names())
def check(request):
    return CHECKS[request.param]()


def test_it_has_a_rank_of_its_own(check):
    ranks = [other.order for other in CHECKS.all().values()]
    assert ranks.count(check.order) == 1


def test_its_findings_are_complete_and_end_without_a_full_stop(check, planted):
    subject = Subject(planted, find_duplicates(planted.images))
    if not check.applies(subject):
        return
    for found in check.find(subject):
        assert found.check == found.check.lower().replace("_", "-")
        assert found.title
        assert not found.title.endswith(".")
        assert found.why.endswith((".", "?"))
        assert found.what_to_do.endswith((".", "?"))
        for item in found.items:
            assert item.images or item.note


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_few_images_are_no_trouble(check, clean, count):
    few = clean.take(np.arange(count))
    subject = Subject(few, find_duplicates(few.images))
    if check.applies(subject):
        with suppress(NotChecked):
            assert isinstance(check.find(subject), list)


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_other_classes_and_colour_are_no_trouble(check, classes):
    """One class has a single image; no finding speaks of what only FER-2013 has."""
    labels = LabelSet(tuple(f"kind {number}" for number in range(classes)))
    drawn = synthetic_faces(120, label_set=labels, crop=CropSpec(64, 3), seed=classes)
    (rows,) = np.nonzero(drawn.labels != 1)
    faces = drawn.take(np.sort([*rows, np.flatnonzero(drawn.labels == 1)[0]]))
    subject = Subject(faces, find_duplicates(faces.images))
    if not check.applies(subject):
        return
    with suppress(NotChecked):
        found = [str(one.model_dump()) for one in check.find(subject)]
        assert not [text for text in found if any(name in text for name in FER2013.names)]
        assert not [text for text in found if "FER" in text]


def test_what_knows_fer2013_alone_is_not_asked_of_other_classes(check, clean):
    votes = np.full((len(clean), 10), 1, np.int8)
    voted = Subject(replace(clean, votes=votes), find_duplicates(clean.images))
    other = replace(clean, votes=votes, label_set=LabelSet(tuple("abcdefg")))
    subject = Subject(other, voted.duplicates)
    if check.needs_votes or check.needs_fer2013:
        assert check.applies(voted)
        assert not check.applies(subject)
