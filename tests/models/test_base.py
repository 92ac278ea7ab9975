"""Networks that a function builds, in place of a registered family."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mien.errors import MienError, RecipeError
from mien.models import build_model, to_unit
from mien.models.base import CustomNetwork, register_callable
from mien.recipes import load_recipe


def own_network(section):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 7)
    )


def test_a_function_becomes_a_family():
    assert register_callable(own_network) == "own_network"
    assert register_callable(own_network) == "own_network"  # once more, in the same process
    recipe = load_recipe("quick", ["model={family='own_network'}"])
    classifier = build_model(recipe.model, seed=1).eval()
    images = torch.randint(0, 256, (3, 48, 48), dtype=torch.uint8, generator=torch.manual_seed(0))
    with torch.no_grad():
        logits = classifier(to_unit(images))
        features = classifier.network.forward_features(to_unit(images))
    assert logits.shape == (3, 7)
    assert features.shape == (3, 4) == (3, classifier.network.num_features)
    assert isinstance(classifier.network.cam_layer, nn.Conv2d)


def test_another_function_of_the_same_name_is_refused():
    register_callable(own_network)

    def other(section):
        return own_network(section)

    other.__name__ = "own_network"
    with pytest.raises(MienError, match="registered twice"):
        register_callable(other)
    other.__name__ = "stacked"
    with pytest.raises(MienError, match="'stacked': registered twice"):
        register_callable(other)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([nn.Conv2d(1, 4, 3), nn.Flatten()], r"an nn\.Linear that gives the logits"),
        ([nn.Flatten(), nn.Linear(48 * 48, 7)], r"expected convolutions"),
        ([nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(48 * 48, 8)], "with 7 outputs"),
        (
            [nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(48 * 48, 7), nn.Softmax(1)],
            r"nothing \(no softmax\) behind it",
        ),
        ([nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(10, 7)], "cannot read images of 48x48"),
    ],
)
def test_what_is_no_classifier_is_refused(layers, said):
    with pytest.raises(RecipeError, match=said):
        CustomNetwork(nn.Sequential(*layers))
