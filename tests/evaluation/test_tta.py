from __future__ import annotations

import numpy as np
import pytest

from mien.bundle.bundle import Bundle
from mien.errors import MienError
from mien.evaluation.tta import VIEWS, predict_views
from mien.runs.evaluations import evaluate


@pytest.fixture
def bundle(run):
    return Bundle(run.bundle_path)


def test_a_single_view_is_the_image_as_it_is(bundle, faces):
    images = faces.images[:5]
    assert np.array_equal(predict_views(bundle, images, "single"), bundle.predict(images)[1])


def test_the_mirror_image_has_the_same_flipped_reading(bundle, faces):
    images = faces.images[:5]
    flipped = predict_views(bundle, images[:, :, ::-1], "flip")
    np.testing.assert_allclose(predict_views(bundle, images, "flip"), flipped, atol=1e-6)
    mean = (bundle.predict(images)[1] + bundle.predict(images[:, :, ::-1])[1]) / 2
    np.testing.assert_allclose(predict_views(bundle, images, "flip"), mean, atol=1e-6)


@pytest.mark.parametrize("views", VIEWS)
def test_every_view_gives_probabilities(bundle, faces, views):
    found = predict_views(bundle, faces.images[:5], views)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_a_flat_image_has_ten_equal_crops(bundle):
    flat = np.full((1, 48, 48), 90, np.uint8)
    single, ten = (predict_views(bundle, flat, views) for views in ("single", "ten-crop"))
    np.testing.assert_allclose(single, ten, atol=1e-6)


def test_views_stand_in_the_protocol(run, layouts):
    evaluation = evaluate(run.path, layouts["csv"], "val", views="ten-crop")
    assert evaluation.protocol.views == "ten-crop"
    assert "ten views averaged" in evaluation.protocol.sentence()
    single = evaluate(run.path, layouts["csv"], "val")
    assert "single view" in single.protocol.sentence()


def test_unknown_views_are_refused_before_anything_is_read():
    with pytest.raises(MienError, match=r"views 'flop' .did you mean 'flip'"):
        evaluate("mien-xs", "nowhere.csv", views="flop")
