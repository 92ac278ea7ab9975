from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest
import torch

from mien.data.synthetic.faces import synthetic_faces
from mien.errors import RecipeError
from mien.images.crop import CropSpec
from mien.models import to_unit
from mien.recipes import load_recipe
from mien.recipes.sections import AugmentSection
from mien.training.augment import Augmentation, _reduction_matrix

ALL = {
    "rotation_degrees": 15, "zoom": 0.1, "shift": 0.1, "shear_degrees": 10, "flip": True,
    "brightness": 0.3, "contrast": 0.3, "erasing": 0.5, "gamma": 0.5, "corruption": 0.8,
    "crop_margin": (-0.1, 0.35),
}  # fmt: skip


@pytest.fixture
def unit():
    return torch.rand(64, 1, 48, 48, generator=torch.manual_seed(0))


def test_all_off_changes_nothing(unit):
    assert torch.equal(Augmentation(AugmentSection())(unit), unit)


@pytest.mark.parametrize("name", ALL)
def test_each_change_does_something_and_stays_in_range(unit, name):
    changed = Augmentation(AugmentSection(**{name: ALL[name]}))(unit)
    assert changed.shape == unit.shape
    assert 0 <= changed.min() <= changed.max() <= 1
    different = (changed != unit).flatten(1).any(1)
    assert different.float().mean() > 0.3


def test_each_image_draws_its_own_change():
    same = torch.rand(1, 1, 48, 48).expand(32, 1, 48, 48).contiguous()
    changed = Augmentation(AugmentSection(**ALL))(same)
    assert not torch.equal(changed[0], changed[1])


def test_the_seed_decides(unit):
    change = Augmentation(AugmentSection(**ALL))
    torch.manual_seed(5)
    first = change(unit)
    torch.manual_seed(5)
    assert torch.equal(first, change(unit))


def test_a_flip_is_a_mirror(unit):
    flipped = Augmentation(AugmentSection(flip=True))(unit)
    mirrored = (flipped == unit.flip(3)).flatten(1).all(1)
    kept = (flipped == unit).flatten(1).all(1)
    assert (mirrored | kept).all()
    assert mirrored.any()
    assert kept.any()


@pytest.mark.parametrize(("fill", "dark"), [("reflect", False), ("edge", False), ("zeros", True)])
def test_fill(fill, dark):
    white = torch.ones(16, 1, 48, 48)
    section = AugmentSection(rotation_degrees=30, shift=0.2, fill=fill)
    changed = Augmentation(section)(white)
    assert (changed.min() < 0.5) == dark


def test_the_middle_is_kept_as_it_is(unit):
    middle = Augmentation(AugmentSection(crop_px=40))(unit)
    assert torch.equal(middle, unit[:, :, 4:44, 4:44])
    everything = Augmentation(AugmentSection(**ALL, crop_px=40))(unit)
    assert everything.shape == (64, 1, 40, 40)


def faces(count, seed=3):
    return to_unit(torch.from_numpy(synthetic_faces(count, seed=seed).images.copy()))


def corrupted(unit, **only):
    off = {"blur_px": 0, "noise_levels": 0, "jpeg_quality": 0, "low_resolution_px": 0}
    return Augmentation(AugmentSection(corruption=1, **{**off, **only}))(unit)


def test_a_share_of_each_batch_is_corrupted_and_the_rest_left_as_it_is():
    unit = faces(80)
    changed = (Augmentation(AugmentSection(corruption=0.5))(unit) != unit).flatten(1).any(1)
    assert changed[40:].sum() == 0
    assert changed[:40].float().mean() > 0.9  # a face drawn flat may survive JPEG


def test_blur_is_opencvs():
    unit = faces(20)
    blurred = corrupted(unit, blur_px=0.25)  # the least and the largest are the same then
    expected = [cv2.GaussianBlur(one[0].numpy(), (3, 3), 0.25) for one in unit]
    torch.testing.assert_close(blurred[:, 0], torch.from_numpy(np.stack(expected)))
    rough = [one.diff(dim=3).abs().mean() for one in (corrupted(unit, blur_px=2), unit)]
    assert rough[0] < rough[1]


def test_noise_has_the_deviation_that_was_asked_for():
    gray = torch.full((400, 1, 48, 48), 0.5)
    stds = (corrupted(gray, noise_levels=25) * 255).std((1, 2, 3))
    assert stds.max() == pytest.approx(25, abs=1.5)
    assert stds.mean() == pytest.approx(12.5, abs=1.5)


def test_jpeg_is_what_an_encoder_makes_of_a_gray_picture():
    unit = faces(30)
    levels = (unit * 255).round().byte()
    ours = (corrupted(levels.float() / 255, jpeg_quality=80) * 255).round()  # 80 is the best, too
    theirs = []
    for image in levels[:, 0].numpy():
        _, stored = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
        theirs.append(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE).astype(np.float32))
    # libjpeg computes in whole numbers, so now and then a coefficient is rounded the other way.
    differences = (ours[:, 0] - torch.from_numpy(np.stack(theirs))).abs()
    assert differences.mean() < 0.5
    assert (differences <= 2).float().mean() > 0.95
    assert (corrupted(unit, jpeg_quality=5) - unit).abs().mean() > (ours / 255 - unit).abs().mean()


def test_low_resolution_is_opencvs_reduction_and_enlargement():
    unit = faces(10)
    reduced = corrupted(unit, low_resolution_px=48)  # up to twice that, but 48 at most: as it is
    torch.testing.assert_close(reduced, unit)
    for side in (16, 24):  # OpenCV and torch round the areas of other sides differently
        matrix = _reduction_matrix(side, 48)
        found = (matrix @ unit @ matrix.T)[:, 0].numpy()
        for image, change in zip(unit[:, 0].numpy(), found, strict=True):
            small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
            np.testing.assert_allclose(change, cv2.resize(small, (48, 48)), atol=1e-5)


def test_a_wider_crop_shows_a_smaller_face():
    dot = torch.zeros(200, 1, 48, 48)
    dot[:, :, 20:28, 20:28] = 1
    areas = {
        margin: Augmentation(AugmentSection(crop_margin=margin, fill="zeros"))(dot).sum((1, 2, 3))
        for margin in ((0.3, 0.3), (-0.1, -0.1))
    }
    torch.testing.assert_close(areas[0.3, 0.3].mean(), torch.tensor(64 / 1.3**2), rtol=0.05, atol=0)
    torch.testing.assert_close(
        areas[-0.1, -0.1].mean(), torch.tensor(64 / 0.9**2), rtol=0.05, atol=0
    )


def test_margins_in_the_wrong_order_are_reported():
    with pytest.raises(
        RecipeError, match=r"augment: crop_margin = \[0\.3, 0\.1\]: expected the smaller"
    ):
        load_recipe("quick", ["augment.crop_margin=[0.3, 0.1]"])


def test_gamma_keeps_black_and_white():
    unit = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3).expand(300, 1, 1, 3)
    changed = Augmentation(AugmentSection(gamma=1))(unit)[:, 0, 0]
    assert changed[:, 0].max() == 0
    assert changed[:, 2].min() == 1
    assert changed[:, 1].min() == pytest.approx(0.25, abs=0.02)  # the power 2
    assert changed[:, 1].max() == pytest.approx(0.5**0.5, abs=0.02)


def test_a_copy_changes_images_by_its_own_numbers():
    """As the averaged copy of a network in training has it."""
    augmentation = Augmentation(AugmentSection(corruption=1))
    copied = copy.deepcopy(augmentation)
    copied.corruption.blurs.zero_()
    assert augmentation.corruption.blurs.any()
    assert (copied(faces(8))[:2] == 0).all()


def test_a_share_of_less_than_an_image_a_kind_is_met_over_many_batches():
    unit = torch.full((16, 1, 48, 48), 0.5)
    change = Augmentation(AugmentSection(corruption=0.1, blur_px=0, jpeg_quality=0))
    torch.manual_seed(0)
    noisy = sum(((change(unit) - unit).abs().amax((1, 2, 3)) > 1e-4).sum() for _ in range(200))
    # Low resolution, the other kind, leaves gray as it is.
    assert float(noisy) / (200 * 16) == pytest.approx(0.05, abs=0.01)


def test_a_shift_is_a_share_of_the_picture_however_wide_the_crop():
    dot = torch.zeros(400, 1, 48, 48)
    dot[:, :, 22:26, 22:26] = 1
    places = torch.arange(48.0)
    for margin in (0.4, -0.3):
        section = AugmentSection(shift=0.2, crop_margin=(margin, margin), fill="zeros")
        moved = Augmentation(section)(dot)[:, 0]
        middles = (moved.sum(1) * places).sum(1) / moved.sum((1, 2)) - 23.5
        assert middles.abs().max() / 48 == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("crop", [CropSpec(24), CropSpec(50, 3), CropSpec(224, 3)], ids=str)
@pytest.mark.parametrize(
    "kind", [{"blur_px": 8}, {"noise_levels": 25}, {"jpeg_quality": 20}, {"low_resolution_px": 24}]
)
def test_every_corruption_takes_every_crop(crop, kind):
    off = {"blur_px": 0, "noise_levels": 0, "jpeg_quality": 0, "low_resolution_px": 0}
    unit = torch.rand(2, crop.channels, crop.size_px, crop.size_px)
    changed = Augmentation(AugmentSection(corruption=1, **{**off, **kind}), crop)(unit)
    assert changed.shape == unit.shape
    assert not torch.equal(changed, unit) or "low_resolution_px" in kind
    assert 0 <= changed.min() <= changed.max() <= 1 + 1e-6
