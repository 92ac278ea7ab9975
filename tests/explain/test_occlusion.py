from __future__ import annotations

import numpy as np
import pytest
from tests.explain.test_grad_cam import inside_to_outside

from mien.explain.occlusion import mean_occlusion, occlusion_maps
from mien.labels import FER2013


class SpotReader:
    """A Bundle in all but name: surprise is as probable as one bright spot is bright."""

    labels = FER2013.names

    def __init__(self) -> None:
        self.read = 0

    def predict(self, images):
        self.read += len(images)
        probabilities = np.zeros((len(images), 7), np.float32)
        probabilities[:, 5] = images[:, 20:24, 30:34].mean((1, 2)) / 255
        probabilities[:, 6] = 1 - probabilities[:, 5]
        return probabilities, probabilities


@pytest.fixture
def spots():
    images = np.zeros((3, 48, 48), np.uint8)
    images[:, 20:24, 30:34] = 255
    return images


def test_it_finds_the_one_place_that_matters(spots):
    bundle = SpotReader()
    before = spots.copy()
    maps = occlusion_maps(bundle, spots, np.array([5, 5, 6]))
    assert np.array_equal(spots, before)
    assert maps.dtype == np.float32
    for one in maps[:2]:
        row, column = np.unravel_index(one.argmax(), one.shape)
        assert 15 <= row < 29
        assert 25 <= column < 39
        assert one.max() > 0.5
        assert one[:10].max() == one[34:].max() == one[:, :20].max() == 0
    np.testing.assert_allclose(maps[2], -maps[0], atol=1e-6)  # of what covering makes likelier
    assert bundle.read == 3 * 82


@pytest.mark.parametrize(("patch_px", "stride_px"), [(10, 5), (8, 8), (7, 3), (48, 5), (1, 40)])
def test_patches_reach_from_border_to_border(patch_px, stride_px):
    class WholeReader:
        def predict(self, images):
            rows = np.broadcast_to(images.mean((1, 2), keepdims=True)[..., 0], (len(images), 7))
            return rows, rows

    image = np.full((1, 48, 48), 100, np.uint8)
    (even,) = occlusion_maps(
        WholeReader(),
        image,
        np.array([0]),
        patch=patch_px / 48,
        stride=min(stride_px, patch_px) / 48,
    )
    assert np.all(even == 0)  # and no pixel is without a patch, which would be 0 / 0


def test_it_finds_the_mouth_where_nothing_else_tells_the_faces_apart(mouths):
    maps = occlusion_maps(mouths.bundle, mouths.images, mouths.labels)
    assert inside_to_outside(maps.clip(0)) > 1.5


def test_the_mean_is_of_each_emotion_and_leaves_absent_ones_out(mouths):
    maps = mean_occlusion(mouths.bundle, mouths.images, mouths.labels, per_class=4)
    assert maps.shape == (7, 48, 48)
    present = set(mouths.labels.tolist())
    for label, one in enumerate(maps):
        assert np.isnan(one).all() == (label not in present)
        assert np.isnan(one).any() == (label not in present)
    assert inside_to_outside(maps[sorted(present)].clip(0)) > 1.5
    again = mean_occlusion(mouths.bundle, mouths.images, mouths.labels, per_class=4)
    np.testing.assert_array_equal(again, maps)
    other = mean_occlusion(mouths.bundle, mouths.images, mouths.labels, per_class=4, seed=1)
    assert not np.array_equal(other, maps, equal_nan=True)


def test_the_mean_takes_faces_that_are_read_rightly_first(spots):
    """Of dark faces, which are read as neutral, nothing hangs on the spot."""
    bundle = SpotReader()
    images = np.concatenate([spots[:2], np.zeros((6, 48, 48), np.uint8)])
    labels = np.full(8, FER2013.names.index("surprise"))
    maps = mean_occlusion(bundle, images, labels, per_class=2)
    np.testing.assert_allclose(maps[5], occlusion_maps(bundle, spots[:1], labels[:1])[0], atol=1e-6)


def test_the_mean_reads_about_five_thousand_faces():
    bundle = SpotReader()
    labels = np.arange(700) % 7
    mean_occlusion(bundle, np.zeros((700, 48, 48), np.uint8), labels)
    assert bundle.read < 5000
