from __future__ import annotations

import shutil

import numpy as np
import pytest
from tests.explain.conftest import MOUTH

from mien.bundle.bundle import Bundle
from mien.evaluation.robustness import measure_robustness
from mien.explain.overview import explain_split
from mien.labels import FER2013


@pytest.fixture(scope="module")
def overview(mouths):
    path = mouths.bundle.path
    labels = mouths.labels.copy()
    labels[0] = (labels[0] + 1) % 7  # one that is not read as it is labelled
    return explain_split(path, mouths.bundle, mouths.images, labels, mouths.labels)


def test_the_mouth_matters_where_nothing_else_differs(overview, mouths):
    found = {one.emotion: one for one in overview.importances}
    for label in np.unique(mouths.labels):
        one = found[FER2013.names[label]]
        assert one.mouth > 2 * abs(one.eyes)
        assert one.map[MOUTH].mean() > 2 * abs(one.map[: MOUTH.start].mean())
        assert one.face.shape == (48, 48)


def test_covering_the_mouth_costs_and_covering_the_eyes_does_not(mouths):
    found = measure_robustness(mouths.bundle, mouths.images, mouths.labels)
    assert found.clean == 1.0
    assert found.accuracy["eyes covered (share of their band)"][-1] > 0.8
    assert found.accuracy["mouth covered (share of its band)"][-1] < 0.7


def test_examples_show_right_and_wrong_ones_of_each_label(overview):
    right = [one for one in overview.examples if one.label == one.emotion]
    assert {one.label for one in right} == {"happy", "surprise", "neutral"}
    assert len(right) == 6
    assert len(overview.examples) == 7  # and the one that is labelled otherwise
    for one in overview.examples:
        assert one.cam.shape == (48, 48)
        assert 0 <= one.cam.min() <= one.cam.max() <= 1


def test_the_maps_are_checked(overview):
    assert overview.without == ""
    assert overview.sanity
    assert 0 < overview.sanity.images <= len(overview.examples)


def test_a_bundle_without_weights_says_why_there_are_no_examples(mouths, tmp_path):
    shutil.copy(mouths.bundle.path, tmp_path / "alone.onnx")
    alone = Bundle(tmp_path / "alone.onnx")
    found = explain_split(alone.path, alone, mouths.images, mouths.labels, mouths.labels)
    assert found.examples == ()
    assert found.sanity is None
    assert "no float weights are in the same folder" in found.without
    assert len(found.importances) == 3
