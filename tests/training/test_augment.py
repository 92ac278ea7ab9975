from __future__ import annotations

import pytest
import torch

from mien.recipes.sections import AugmentSection
from mien.training.augment import build_augmentation

ALL = {
    "rotation_degrees": 15, "zoom": 0.1, "shift": 0.1, "shear_degrees": 10, "flip": True,
    "brightness": 0.3, "contrast": 0.3, "erasing": 0.5,
}  # fmt: skip


@pytest.fixture
def unit():
    return torch.rand(64, 1, 48, 48, generator=torch.manual_seed(0))


def test_all_off_changes_nothing(unit):
    assert torch.equal(build_augmentation(AugmentSection())(unit), unit)


@pytest.mark.parametrize("name", ALL)
def test_each_change_does_something_and_stays_in_range(unit, name):
    changed = build_augmentation(AugmentSection(**{name: ALL[name]}))(unit)
    assert changed.shape == unit.shape
    assert 0 <= changed.min() <= changed.max() <= 1
    different = (changed != unit).flatten(1).any(1)
    assert different.float().mean() > 0.3


def test_each_image_draws_its_own_change():
    same = torch.rand(1, 1, 48, 48).expand(32, 1, 48, 48).contiguous()
    changed = build_augmentation(AugmentSection(**ALL))(same)
    assert not torch.equal(changed[0], changed[1])


def test_the_seed_decides(unit):
    change = build_augmentation(AugmentSection(**ALL))
    torch.manual_seed(5)
    first = change(unit)
    torch.manual_seed(5)
    assert torch.equal(first, change(unit))


def test_a_flip_is_a_mirror(unit):
    flipped = build_augmentation(AugmentSection(flip=True))(unit)
    mirrored = (flipped == unit.flip(3)).flatten(1).all(1)
    kept = (flipped == unit).flatten(1).all(1)
    assert (mirrored | kept).all()
    assert mirrored.any()
    assert kept.any()


@pytest.mark.parametrize(("fill", "dark"), [("reflect", False), ("edge", False), ("zeros", True)])
def test_fill(fill, dark):
    white = torch.ones(16, 1, 48, 48)
    section = AugmentSection(rotation_degrees=30, shift=0.2, fill=fill)
    changed = build_augmentation(section)(white)
    assert (changed.min() < 0.5) == dark


def test_the_middle_is_kept_as_it_is(unit):
    middle = build_augmentation(AugmentSection(crop_px=40))(unit)
    assert torch.equal(middle, unit[:, :, 4:44, 4:44])
    everything = build_augmentation(AugmentSection(**ALL, crop_px=40))(unit)
    assert everything.shape == (64, 1, 40, 40)
