from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mien.explain.grad_cam import grad_cam
from mien.explain.sanity import check_maps, correlate, randomize
from mien.models import Classifier
from mien.models.base import Network


def test_maps_are_like_themselves_and_unlike_those_of_random_weights(mouths):
    maps = grad_cam(mouths.classifier, mouths.images, mouths.labels)
    full = maps.any((1, 2))  # where nothing speaks for an emotion, there is no map to compare
    assert correlate(maps[full], maps[full], side_px=42) == pytest.approx(1)
    found = check_maps(mouths.classifier, mouths.images, mouths.labels)
    assert found.passed
    assert abs(found.correlation) < 0.4
    assert found.low <= found.correlation <= found.high
    assert found.images == full.sum()
    assert check_maps(mouths.classifier, mouths.images, mouths.labels) == found
    other = check_maps(mouths.classifier, mouths.images, mouths.labels, seed=9)
    assert other.correlation != found.correlation


class EdgeDetector(Network):
    """Has nothing that could be drawn anew: its maps are beautiful, and know the picture only."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]]))
        self.register_buffer("signs", torch.tensor([-1.0, -1, -1, 1, 1, 1, 1]))
        self.edges = nn.ReLU()

    @property
    def backbone(self):
        return self.edges

    @property
    def cam_layer(self):
        return self.edges

    def forward_features(self, images):
        return self.edges(F.conv2d(images, self.kernel)).mean((2, 3))

    def forward(self, images):
        return self.forward_features(images) * self.signs


def test_maps_that_know_nothing_but_the_picture_do_not_pass(mouths):
    found = check_maps(Classifier(EdgeDetector(), "unit"), mouths.images, mouths.labels)
    assert found.correlation == pytest.approx(1)
    assert not found.passed


def test_empty_maps_are_not_in_it(mouths):
    edges = Classifier(EdgeDetector(), "unit")
    labels = np.array([0, 3, 2, 3])  # edges speak against 0 and 2: their maps are empty
    found = check_maps(edges, mouths.images[:4], labels)
    assert found.images == 2
    assert found.correlation == pytest.approx(1)
    assert check_maps(edges, mouths.images[:4], np.zeros(4, int)) is None


def test_correlation_by_ranks():
    ramp = np.tile(np.linspace(0, 1, 48, dtype=np.float32), (3, 48, 1))
    others = np.stack([ramp[0] ** 3, 1 - ramp[0], np.zeros((48, 48), np.float32)])
    assert correlate(ramp, others, side_px=48) == pytest.approx([1, -1, 0])
    frame = np.zeros((1, 48, 48), np.float32)
    frame[:, 3:45, 3:45] = ramp[:1, 3:45, 3:45]
    swapped = np.zeros_like(frame)
    swapped[:, 3:45, 3:45] = frame[:, 3:45, 3:45].transpose(0, 2, 1)
    assert correlate(frame, swapped, side_px=48)[0] > 0.2  # the border that both have not
    assert correlate(frame, swapped, side_px=42) == pytest.approx(0, abs=1e-6)


def test_every_weight_is_drawn_anew(mouths):
    made, again = (randomize(mouths.classifier, seed=3) for _ in range(2))
    before = dict(mouths.classifier.named_parameters())
    for name, parameter in made.named_parameters():
        assert not torch.equal(parameter, before[name]), name
        assert torch.equal(parameter, dict(again.named_parameters())[name]), name
    statistics = [b for name, b in made.named_buffers() if name.endswith("running_mean")]
    assert statistics
    assert all(not one.any() for one in statistics)
