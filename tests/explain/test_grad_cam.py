from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tests.explain.conftest import MOUTH

from mien.explain.grad_cam import grad_cam
from mien.explain.neighbours import nearest_faces
from mien.explain.sanity import check_maps


def inside_to_outside(maps):
    """How much more the mouth's band has than the rest: 1.1 for a map that is even."""
    mean = maps.mean(0)
    return mean[MOUTH].mean() / np.delete(mean, np.arange(48)[MOUTH], axis=0).mean()


def test_it_finds_the_mouth_where_nothing_else_tells_the_faces_apart(mouths):
    maps = grad_cam(mouths.classifier, mouths.images, mouths.labels)
    assert maps.dtype == np.float32
    assert maps.shape == mouths.images.shape
    assert inside_to_outside(maps) > 1.5


def test_maps_are_scaled_alone_and_cover_what_is_read(mouths):
    maps = grad_cam(mouths.classifier, mouths.images, mouths.labels)
    assert maps.min() == 0
    tops = maps.max((1, 2))
    assert np.all((tops == 0) | np.isclose(tops, 1))
    assert tops.any()
    within = maps[:, 3:45, 3:45]
    assert within.sum() == pytest.approx(maps.sum())
    for edge in (within[:, 0], within[:, -1], within[:, :, 0], within[:, :, -1]):
        assert edge.max() > 0
    alone = grad_cam(mouths.classifier, mouths.images[:1], mouths.labels[:1])
    np.testing.assert_allclose(alone[0], maps[0], atol=1e-4)


def test_each_emotion_has_a_map_of_its_own(mouths):
    image = mouths.images[:1].repeat(7, axis=0)
    maps = grad_cam(mouths.classifier, image, np.arange(7))
    assert len(np.unique(maps.reshape(7, -1), axis=0)) > 3


def test_no_face_gives_no_map(mouths):
    assert grad_cam(mouths.classifier, mouths.images[:0], mouths.labels[:0]).shape == (0, 48, 48)


@pytest.mark.parametrize(
    "explain",
    [
        grad_cam,
        check_maps,
        lambda classifier, images, _: nearest_faces(classifier, images, images),
    ],
    ids=["grad_cam", "check_maps", "nearest_faces"],
)
def test_the_network_stays_as_it_is(mouths, explain):
    classifier = copy.deepcopy(mouths.classifier)
    classifier.train()
    classifier.network.features.eval()  # as where the backbone is frozen
    for parameter in classifier.network.features.parameters():
        parameter.requires_grad_(False)

    def facts():
        return (
            [(name, module.training) for name, module in classifier.named_modules()],
            [(name, p.requires_grad, p.grad) for name, p in classifier.named_parameters()],
            [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in classifier.modules()],
        )

    before, state = facts(), copy.deepcopy(classifier.state_dict())
    chance = torch.get_rng_state()
    with torch.no_grad():  # whoever calls may have switched gradients off
        explain(classifier, mouths.images[:4], mouths.labels[:4])
    assert facts() == before
    assert torch.equal(torch.get_rng_state(), chance)
    after = classifier.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in state.items())
