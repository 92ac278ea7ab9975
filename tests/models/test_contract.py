"""What every network must do: those of the shipped recipes, and of every registered family."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from mien.bundle.export import export_bundle
from mien.bundle.metadata import BundleMetadata
from mien.data.votes import vote_columns
from mien.labels import FER2013
from mien.models import build_model, count_macs, count_parameters, to_unit
from mien.models.answer import LEAST_OPEN
from mien.models.layers import fold
from mien.recipes import list_recipes, load_recipe
from mien.recipes.families import FAMILIES, typed_section

# Shapes that no shipped recipe has, so that every option of a family is built once.
VARIANTS = {
    "five stages": ["model.channels=[8,8,8,8,8]"],
    "two convolutions a stage": ["model.convs_per_stage=2"],
    "plain Keras": [
        "model.batch_norm=false", "model.dense_batch_norm=false", "model.initialization=keras",
        "model.head=flatten", "model.dense=[32,16]", "model.normalization=unit",
    ],
    "batch norm everywhere": ["model.head=flatten", "model.dense=[32]", "model.conv_dropout=0.2"],
    "Keras with batch norm": ["model.dense=[32]", "model.initialization=keras"],
    "RGB": ["model.normalization=imagenet"],
    "residual pairs": [
        "model={family='mien_net',stem=8,channels=[8,16],blocks=[2,0],dense=[8]}"
    ],
    "squeeze and excitation": [
        "model={family='mien_net',stem=8,channels=[8,16],blocks=[1,1],squeeze=true}"
    ],
    "branches": ["model={family='mien_net',stem=8,channels=[8,16],blocks=[1,1],branches=true}"],
    "mirrored kernels": [
        "model={family='mien_net',stem=8,channels=[8,16],blocks=[1,1],mirrored=true}"
    ],
    "one stage, wide kernels": ["model.channels=[8]", "model.kernel_px=5"],
}  # fmt: skip
# The smallest map of 5x5 cells or more that each of them has: half of it is below that.
CAM_CELLS = {"mien-s": 6, "mien-xs": 6, "mien-teacher": 6, "inception-cnn": 6, "densenet169": 6}
# mien-distilled is mien-s, taught; the network is the same
NETWORKS = [name for name in list_recipes() if name != "mien-distilled"]
# A family that no shipped recipe has, as its section's defaults have it: these tests meet it too.
KNOWN = {load_recipe(name).model.family for name in NETWORKS}
DEFAULTS = {
    f"default {name}": [f"model={{family='{name}'}}"] for name in {*FAMILIES.names()} - KNOWN
}
CASES = [(name, []) for name in NETWORKS]
CASES += [("quick", settings) for settings in (VARIANTS | DEFAULTS).values()]
IDS = [*NETWORKS, *VARIANTS, *DEFAULTS]


@pytest.fixture(params=CASES, ids=IDS)
def recipe(request):
    return load_recipe(*request.param)


@pytest.fixture
def images():
    return torch.randint(0, 256, (6, 48, 48), dtype=torch.uint8, generator=torch.manual_seed(0))


def test_shape_and_type(recipe, images):
    logits = build_model(recipe.model).eval()(to_unit(images))
    assert logits.shape == (6, 7)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


def test_the_seed_decides_the_weights_and_nothing_else_does(recipe):
    state = torch.get_rng_state()
    first, again, other = (build_model(recipe.model, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(state, torch.get_rng_state())
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(
        not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True)
    )


def test_a_step_changes_every_weight_and_lowers_the_loss(recipe, images):
    model = build_model(recipe.model).double()  # in which no step is lost to rounding
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    labels = torch.arange(len(images))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    losses = []
    for _ in range(2):
        loss = F.cross_entropy(model(to_unit(images).double()), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[1] < losses[0]
    dead = [name for name, value in model.named_parameters() if torch.equal(value, before[name])]
    assert not dead


def test_calibrating_turns_its_logits(recipe, images):
    model = build_model(recipe.model).eval()
    drawn = torch.Generator().manual_seed(0)
    matrix, bias = torch.randn(7, 7, generator=drawn), torch.randn(7, generator=drawn)
    with torch.no_grad():
        expected = model(to_unit(images)) @ matrix + bias
        model.calibrate(matrix.numpy(), bias.numpy())
        torch.testing.assert_close(model(to_unit(images)), expected, rtol=1e-4, atol=1e-4)


def test_a_face_gate_scales_its_logits(recipe, images):
    unit = to_unit(images)
    with torch.no_grad():
        for bias, share in ((0.0, 0.5), (30.0, 1.0), (-30.0, LEAST_OPEN)):
            model = build_model(recipe.model).eval()
            plain = model(unit)
            model.add_face_gate([0.0] * model.last_layer.in_features, bias)
            torch.testing.assert_close(model(unit), share * plain)
            assert torch.equal(model(unit).softmax(1).argmax(1), plain.argmax(1))


def test_votes_are_averaged_with_its_probabilities(recipe, images):
    model, unit = build_model(recipe.model).eval(), to_unit(images)
    width = model.last_layer.in_features
    drawn = 0.1 * torch.randn(10, width + 1, generator=torch.manual_seed(1))
    weight, bias = drawn.split([width, 1], 1)
    mix = SimpleNamespace(votes_share=0.3, offset=(0.5, 0, 0, 0, 0, 0, -0.5), temperature=2.0)
    with torch.no_grad():
        votes = (model.features(unit) @ weight.T + bias[:, 0])[:, list(vote_columns(FER2013))]
        mean = 0.7 * model(unit).softmax(1) + 0.3 * votes.softmax(1)
        model.mix_votes(weight, bias[:, 0], mix)
        expected = (mean.clamp_min(1e-12).log() + torch.tensor(mix.offset)) / 2
        torch.testing.assert_close(model(unit), expected, rtol=1e-4, atol=1e-4)
        model.add_face_gate([0.0] * width, 0.0)
        torch.testing.assert_close(model(unit), expected / 2, rtol=1e-4, atol=1e-4)


def test_it_declares_its_parts(recipe, images):
    network = build_model(recipe.model).eval().network
    unit = network.input_px
    channels = 3 if recipe.model.normalization == "imagenet" else 1
    pixels = torch.rand(2, channels, unit, unit, generator=torch.manual_seed(0))
    with torch.no_grad():
        features = network.forward_features(pixels)
        assert features.shape == (2, network.num_features)
        torch.testing.assert_close(network.head(features), network(pixels))
    parts = {id(part) for part in network.modules()}
    assert id(network.backbone) in parts
    assert id(network.cam_layer) in {id(part) for part in network.backbone.modules()}


def test_its_features_are_what_its_last_layer_takes_in(recipe, images):
    model = build_model(recipe.model).eval()
    with torch.no_grad():
        features = model.features(to_unit(images))
        assert features.shape == (6, model.last_layer.in_features)
        torch.testing.assert_close(model.last_layer(features), model(to_unit(images)))


def test_an_image_is_read_alike_in_any_batch(recipe, images):
    model = build_model(recipe.model).eval()
    with torch.no_grad():
        together = model(to_unit(images))
        alone = torch.cat([model(to_unit(image[None])) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_explanations_come_from_a_map_that_locates(recipe, images):
    model = build_model(recipe.model).eval()
    maps = []
    layer = model.network.cam_layer
    with layer.register_forward_hook(lambda *call: maps.append(call[2])), torch.no_grad():
        model(to_unit(images))
    (found,) = maps
    assert found.ndim == 4
    assert min(found.shape[2:]) >= 5
    assert found.min() >= 0  # rectified: what is not there is no evidence
    if recipe.name in CAM_CELLS:
        assert found.shape[2:] == (CAM_CELLS[recipe.name],) * 2


def test_a_flat_image_gives_finite_logits(recipe):
    model = build_model(recipe.model).eval()
    for level in (0, 255):
        assert model(to_unit(torch.full((1, 48, 48), level, dtype=torch.uint8))).isfinite().all()


# The exporter takes twenty seconds for the 169 layers of a DenseNet, as long as for all the others.
EXPORTED = [
    pytest.param(case, marks=[pytest.mark.slow] if case[0] == "densenet169" else [], id=name)
    for case, name in zip(CASES, IDS, strict=True)
]


@pytest.mark.parametrize("recipe", EXPORTED, indirect=True)
def test_it_exports_and_agrees_with_torch(recipe, images, tmp_path):
    model = build_model(recipe.model).eval()
    metadata = BundleMetadata(name="x", parameters=count_parameters(model), mien_version="0")
    bundle = export_bundle(model, metadata, tmp_path / "x.onnx", samples=images.numpy())
    logits, probabilities = bundle.predict(images.numpy())
    with torch.no_grad():
        expected = model(to_unit(images))
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=0, atol=1e-5 * scale)
    torch.testing.assert_close(torch.from_numpy(probabilities).sum(1), torch.ones(6))


@pytest.mark.parametrize("variant", ["branches", "mirrored kernels"])
def test_what_is_folded_reads_as_it_was_trained(variant, images):
    model = build_model(load_recipe("quick", VARIANTS[variant]).model)
    for _ in range(3):  # moves the statistics of batch normalization away from 0 and 1
        model(to_unit(images))
    model.eval()
    folded = fold(model)
    with torch.no_grad():
        expected = model(to_unit(images))
        torch.testing.assert_close(folded(to_unit(images)), expected, rtol=1e-4, atol=1e-3)
    assert len(list(folded.modules())) < len(list(model.modules()))
    assert count_macs(model) == count_macs(folded)


def test_standardized_input_knows_neither_brightness_nor_contrast():
    model = build_model(load_recipe("quick").model).eval()
    unit = torch.rand(4, 1, 48, 48, generator=torch.manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model(unit), model(unit * 0.5 + 0.2), rtol=1e-3, atol=1e-4)


def test_a_network_may_read_the_middle_only():
    section = {"family": "mien_net", "stem": 8, "channels": [8], "blocks": [0], "input_px": 42}
    model = build_model(typed_section(section)).eval()
    unit = torch.rand(3, 1, 48, 48, generator=torch.manual_seed(0))
    changed = unit.clone()
    changed[:, :, :3] = 1 - changed[:, :, :3]
    with torch.no_grad():
        assert torch.equal(model(unit), model(changed))
        assert torch.equal(model(unit), model(unit[:, :, 3:45, 3:45]))
        assert not torch.equal(model(unit), model(unit[:, :, 4:44, 4:44]))
