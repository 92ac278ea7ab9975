"""Published weights: loaded whole, or refused with the first wrong key."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from mien.errors import RecipeError
from mien.models import build_model
from mien.models.weights import describe_weights, find_weights, load_weights
from mien.recipes import load_recipe


def densenet(*overrides):
    return build_model(load_recipe("densenet169", overrides).model)


@pytest.fixture(scope="module")
def published():
    """Weights in the layout of the published file: the features, and a classifier for ImageNet."""
    state = build_model(load_recipe("densenet169").model, seed=5).network.state_dict()
    features = {
        key: tensor.clone()
        for key, tensor in state.items()
        if key.startswith("features.") and not key.endswith("num_batches_tracked")
    }
    classifier = {"classifier.weight": torch.zeros(1000, 1664), "classifier.bias": torch.ones(1000)}
    return {**features, **classifier}


@pytest.fixture
def path(published, tmp_path):
    save_file(published, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_the_backbone_is_loaded_and_the_head_stays(path, published):
    classifier = densenet()
    before = {key: tensor.clone() for key, tensor in classifier.network.head.state_dict().items()}
    load_weights(classifier, path)
    after = classifier.network.state_dict()
    for key, tensor in published.items():
        if key.startswith("features."):
            assert torch.equal(after[key], tensor), key
    for key, tensor in before.items():
        assert torch.equal(classifier.network.head.state_dict()[key], tensor), key


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda w: w.pop("features.transition2.conv.weight"), "'features.transition2.conv.weight'"),
        (
            lambda w: w.update({"features.conv0.weight": torch.zeros(64, 1, 7, 7)}),
            r"'features.conv0.weight' has the shape \(64, 1, 7, 7\), expected \(64, 3, 7, 7\)",
        ),
        (
            # two are wrong, the first in the network's order is named
            lambda w: w.update(
                {
                    "features.norm5.weight": torch.zeros(2),
                    "features.norm0.weight": torch.zeros(3),
                }
            ),
            r"'features.norm0.weight' has the shape \(3,\)",
        ),
    ],
    ids=["missing", "another shape", "two wrong"],
)
def test_a_wrong_file_is_refused_by_its_first_wrong_key(published, tmp_path, spoil, said):
    weights = dict(published)
    spoil(weights)
    save_file(weights, tmp_path / "wrong.safetensors")
    classifier = densenet()
    before = {key: tensor.clone() for key, tensor in classifier.state_dict().items()}
    with pytest.raises(RecipeError, match=said):
        load_weights(classifier, tmp_path / "wrong.safetensors")
    for key, tensor in classifier.state_dict().items():  # nothing was changed
        assert torch.equal(tensor, before[key]), key


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x80\x02 a pickle" * 50])
def test_another_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "model.pth").write_bytes(content)
    with pytest.raises(RecipeError, match=r"not a safetensors file .*--set model.weights=none"):
        load_weights(densenet(), tmp_path / "model.pth")


def test_none_and_a_missing_file():
    assert find_weights(load_recipe("densenet169", ["model.weights=none"]).model) is None
    assert find_weights(load_recipe("quick").model) is None
    with pytest.raises(RecipeError, match=r"nowhere.safetensors': no such run or file, expected"):
        find_weights(load_recipe("densenet169", ["model.weights=nowhere.safetensors"]).model)


def test_imagenet_out_of_reach_says_how_to_go_on(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RecipeError) as error:
        find_weights(load_recipe("densenet169").model)
    line = str(error.value)
    assert "\n" not in line
    for part in ("cannot be downloaded", "timm/densenet169.tv_in1k", "model.weights=PATH", "=none"):
        assert part in line


def test_what_a_run_notes_of_its_weights(path):
    assert describe_weights(None) == ""
    assert describe_weights(path).startswith("model.safetensors, SHA-256 ")


def test_nothing_is_fetched_at_import():
    code = (
        "import sys, mien.models.weights, mien.training.train; "
        "sys.exit('huggingface_hub' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
