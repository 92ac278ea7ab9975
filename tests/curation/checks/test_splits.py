"""Checks of splits and classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.curation.conftest import finding

from mien.curation import audit_dataset
from mien.curation.checks.base import Subject
from mien.curation.checks.known_release import KnownRelease
from mien.curation.checks.leaky_release import LeakyRelease
from mien.curation.checks.light_differs import LightDiffers
from mien.data.duplicates.groups import Duplicates
from mien.data.duplicates.search import find_near_duplicates
from mien.data.fer2013 import CLASS_COUNTS


def found_by(check, dataset):
    """The findings of a check that does not look at duplicates."""
    none = Duplicates(np.arange(len(dataset)), find_near_duplicates(dataset.images[:0]))
    return check().find(Subject(dataset, none))


def test_the_release_that_shuffled_its_splits_is_known(clean):
    splits = np.array(["train"] * 28_821 + ["val"] * 7_066)
    images = np.zeros((len(splits), 48, 48), np.uint8)
    faces = replace(
        clean,
        images=images,
        labels=np.arange(len(splits)) % 7,
        splits=splits,
        ids=splits,
        rows=np.arange(len(splits)),
    )
    (found,) = found_by(LeakyRelease, faces)
    assert (found.check, found.severity) == ("leaky-release", "serious")
    assert "(28,821 and 7,066)" in found.title


def test_a_published_split_is_known_by_its_counts(clean):
    labels = np.repeat(np.arange(7), CLASS_COUNTS["Training"])
    splits = np.full(len(labels), "train")
    images = np.broadcast_to(clean.images[0], (len(labels), 48, 48)).copy()
    faces = replace(
        clean, images=images, labels=labels, splits=splits, ids=splits, rows=np.arange(len(splits))
    )
    (found,) = found_by(KnownRelease, faces)
    assert found.title == "train has the class counts of FER-2013's Training, as published"


def test_splits_that_were_drawn_otherwise_are_found(clean):
    order = np.argsort(clean.labels, kind="stable")  # train gets the first classes
    audit = audit_dataset(replace(clean, images=clean.images[order], labels=clean.labels[order]))
    assert finding(audit, "labels-drawn-otherwise").figures["p"] < 1e-6
    assert "missing-class" in {one.check for one in audit.findings}
    darker = clean.images.copy()
    darker[clean.splits == "val"] //= 2
    audit = audit_dataset(replace(clean, images=darker))
    assert finding(audit, "light-differs").figures["intensity train–val: p"] < 1e-6


def test_a_difference_in_light_allows_for_the_number_of_tests(clean):
    """Three splits make six tests; the least of them is by chance as small as one of them was."""
    levels = np.concatenate([np.arange(100), np.arange(100) + 29, np.arange(100)])
    images = np.broadcast_to(levels[:, None, None], (300, 48, 48)).astype(np.uint8)
    splits = np.repeat(np.array(["train", "val", "test"]), 100)
    faces = replace(clean.take(np.arange(300)), images=images, splits=splits)
    assert found_by(LightDiffers, faces) == []
    faces = faces.take(np.arange(200))  # two splits make two
    (found,) = found_by(LightDiffers, faces)
    assert 0.0001 < found.figures["intensity train–val: p"] < 0.0005
