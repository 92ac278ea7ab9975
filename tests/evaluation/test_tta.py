from __future__ import annotations

import numpy as np
import pytest

from mien.bundle.bundle import Bundle
from mien.errors import MienError
from mien.evaluation.tta import TTA, predict_tta
from mien.runs.evaluations import evaluate


@pytest.fixture
def bundle(run):
    return Bundle(run.bundle_path)


def test_without_tta_the_image_is_read_once(bundle, faces):
    images = faces.images[:5]
    assert np.array_equal(predict_tta(bundle, images, "none"), bundle.predict(images)[1])


def test_flip_reads_an_image_and_its_mirror_image_alike(bundle, faces):
    images = faces.images[:5]
    mirrored = predict_tta(bundle, images[:, :, ::-1], "flip")
    np.testing.assert_allclose(predict_tta(bundle, images, "flip"), mirrored, atol=1e-6)
    mean = (bundle.predict(images)[1] + bundle.predict(images[:, :, ::-1])[1]) / 2
    np.testing.assert_allclose(predict_tta(bundle, images, "flip"), mean, atol=1e-6)


@pytest.mark.parametrize("tta", TTA)
def test_every_tta_gives_probabilities(bundle, faces, tta):
    found = predict_tta(bundle, faces.images[:5], tta)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_the_ten_crops_of_a_flat_image_are_equal(bundle):
    flat = np.full((1, 48, 48), 90, np.uint8)
    alone, ten = (predict_tta(bundle, flat, tta) for tta in ("none", "ten-crop"))
    np.testing.assert_allclose(alone, ten, atol=1e-6)


def test_the_protocol_states_the_tta(run, layouts):
    evaluation = evaluate(run.path, layouts["csv"], "val", tta="ten-crop")
    assert evaluation.protocol.tta == "ten-crop"
    assert "mean of ten crops" in evaluation.describe_protocol()
    alone = evaluate(run.path, layouts["csv"], "val")
    assert "no test-time augmentation" in alone.describe_protocol()


def test_an_unknown_tta_is_refused_before_anything_is_read():
    with pytest.raises(MienError, match=r"augmentation is called 'flop' .did you mean 'flip'"):
        evaluate("mien-xs", "nowhere.csv", tta="flop")
