"""DenseNet169 against what is published of it: the names and shapes of its weights."""

from __future__ import annotations

import pytest
import torch

from mien.models import build_model, count_macs
from mien.recipes import load_recipe


@pytest.fixture(scope="module")
def features():
    network = build_model(load_recipe("densenet169").model).network
    state = network.state_dict()
    return {key: tensor for key, tensor in state.items() if key.startswith("features.")}


def test_the_features_have_the_published_number_of_weights(features):
    trained = {k: t for k, t in features.items() if "running" not in k and "num_batches" not in k}
    # torchvision's densenet169 has 14,149,480, of which 1664 × 1000 + 1000 are its classifier's
    assert sum(tensor.numel() for tensor in trained.values()) == 14_149_480 - 1_665_000


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("features.conv0.weight", (64, 3, 7, 7)),
        ("features.norm0.running_mean", (64,)),
        ("features.denseblock1.denselayer1.norm1.weight", (64,)),
        ("features.denseblock1.denselayer1.conv1.weight", (128, 64, 1, 1)),
        ("features.denseblock1.denselayer1.norm2.bias", (128,)),
        ("features.denseblock1.denselayer1.conv2.weight", (32, 128, 3, 3)),
        ("features.denseblock1.denselayer6.conv1.weight", (128, 224, 1, 1)),
        ("features.transition1.norm.weight", (256,)),
        ("features.transition1.conv.weight", (128, 256, 1, 1)),
        ("features.denseblock2.denselayer12.norm1.running_var", (480,)),
        ("features.transition2.conv.weight", (256, 512, 1, 1)),
        ("features.denseblock3.denselayer32.conv1.weight", (128, 1248, 1, 1)),
        ("features.transition3.conv.weight", (640, 1280, 1, 1)),
        ("features.denseblock4.denselayer32.conv1.weight", (128, 1632, 1, 1)),
        ("features.norm5.weight", (1664,)),
    ],
)
def test_names_and_shapes_are_the_published_ones(features, key, shape):
    assert tuple(features[key].shape) == shape


def test_nothing_else_is_named_in_the_features(features):
    layers, transitions = 6 + 12 + 32 + 32, 3
    per_norm, per_conv = 5, 1
    expected = (
        per_conv + per_norm  # stem
        + layers * 2 * (per_norm + per_conv)
        + transitions * (per_norm + per_conv)
        + per_norm  # norm5
    )  # fmt: skip
    assert len(features) == expected


def test_it_costs_what_densenet169_costs_at_48_px():
    # 3.36 G at 224 px (Huang et al., 2017, give 3.4 G), which the area takes down to 154 M; the
    # last block sees 1 px where 1.5 would be its share
    assert count_macs(build_model(load_recipe("densenet169").model)) == pytest.approx(
        150e6, rel=0.1
    )


def test_gray_becomes_rgb_as_imagenet_was_normalized():
    classifier = build_model(load_recipe("densenet169").model)
    seen = []
    classifier.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    classifier.eval()(torch.full((1, 1, 48, 48), 0.5))
    expected = [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    torch.testing.assert_close(seen[0][0, :, 7, 11], torch.tensor(expected))
