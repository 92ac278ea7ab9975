"""mien's own network: what its mirrored kernels promise, and which shapes they cannot have."""

from __future__ import annotations

import pytest
import torch

from mien.errors import RecipeError
from mien.images.crop import CropSpec
from mien.labels import FER2013
from mien.models import build_model, count_macs, count_parameters
from mien.models.base import Task
from mien.models.layers import fold
from mien.recipes.families import typed_section

PLAIN = {"family": "mien_net", "stem": 8, "channels": [8, 16], "blocks": [1, 1], "dense": [6]}
MIRRORED = PLAIN | {"mirrored": True}


@pytest.fixture
def unit():
    return torch.rand(5, 1, 48, 48, generator=torch.manual_seed(0))


@torch.enable_grad()
def trained(section, unit):
    """Build a network whose normalization has seen images and whose kernels have been moved."""
    model = build_model(typed_section(section))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        model(unit).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@torch.no_grad()
def test_a_face_and_its_mirror_image_get_the_same_answer(unit):
    model = trained(MIRRORED, unit)
    for network in (model, fold(model)):
        torch.testing.assert_close(network(unit), network(unit.flip(3)), rtol=1e-4, atol=1e-4)
        upside_down = network(unit.flip(2))
        assert not torch.allclose(network(unit), upside_down, rtol=1e-2, atol=1e-2)


@torch.no_grad()
def test_without_mirrored_kernels_it_does_not(unit):
    model = trained(PLAIN, unit)
    assert not torch.allclose(model(unit), model(unit.flip(3)), rtol=1e-2, atol=1e-2)


def test_it_costs_as_much_and_has_half_of_the_parameters():
    plain, mirrored = (build_model(typed_section(section)) for section in (PLAIN, MIRRORED))
    assert count_macs(mirrored) == pytest.approx(count_macs(plain), rel=0.001)
    assert count_parameters(mirrored) == pytest.approx(count_parameters(plain) / 2, rel=0.05)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"channels": [8, 15]}, "15"),
        ({"stem": 7}, "7"),
        ({"branches": True}, "branches"),
        ({"squeeze": True}, "squeeze"),
    ],
)
def test_what_has_no_mirrored_counterpart_is_refused(changed, named):
    with pytest.raises(RecipeError, match=named):
        typed_section(MIRRORED | changed)


@pytest.mark.parametrize("size_px", [46, 50])
def test_maps_that_cannot_be_halved_evenly_are_refused(size_px):
    task = Task(FER2013, CropSpec(size_px, channels=1))
    with pytest.raises(RecipeError, match="multiple of 4"):
        build_model(typed_section(MIRRORED), task)
    build_model(typed_section(PLAIN), task)
    build_model(typed_section(MIRRORED | {"input_px": 44}), task)
