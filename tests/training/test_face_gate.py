from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.test_votes import MIEN

from mien.bundle.bundle import Bundle
from mien.bundle.export import export_bundle
from mien.bundle.metadata import BundleMetadata, FaceGate
from mien.data import load_dataset
from mien.data.synthetic.non_faces import draw_non_faces
from mien.errors import RecipeError, RunError
from mien.models import build_model, count_parameters, to_unit
from mien.models.weights import load_weights
from mien.recipes import load_recipe
from mien.recipes.sections import AugmentSection
from mien.runs.run import Run
from mien.training.export import export, export_int8
from mien.training.face_gate import fit_face_gate, read_gate
from mien.training.kept import load_kept
from mien.training.train import train

GATED = [*MIEN, "train.face_gate=true", "model.channels=[8,64]"]


@pytest.fixture(scope="module")
def gated(layouts, tmp_path_factory):
    return train("mien-s", layouts["csv"], tmp_path_factory.mktemp("runs") / "gated",
                 overrides=GATED)  # fmt: skip


@pytest.fixture
def copy(gated, tmp_path):
    shutil.copytree(gated.path, tmp_path / "run")
    return Run(tmp_path / "run")


@pytest.fixture(scope="module")
def crops(layouts):
    """Faces that were not fitted, and what is made of them."""
    faces = load_dataset(layouts["csv"]).val.images
    return np.asarray(faces), draw_non_faces(faces, 140, seed=5)


def ungated_logits(run, images):
    with torch.no_grad():
        return load_kept(run)[0](to_unit(torch.from_numpy(images.copy()))).numpy()


def gate_of(run):
    return FaceGate.model_validate_json(run.face_gate_path.read_bytes())


def test_it_is_open_to_faces_and_not_to_what_is_none(gated):
    gate = gate_of(gated)
    assert gate.faces_open > 0.9
    assert gate.non_faces_open < gate.faces_open - 0.2
    assert gate.non_faces == 2 * gate.faces
    assert Bundle(gated.bundle_path).metadata.face_gate == gate


def test_non_faces_get_less_sure_readings_and_faces_hardly(gated, crops):
    bundle = Bundle(gated.bundle_path)

    def left(images):  # of the spread of the logits
        return np.mean(
            np.ptp(bundle.predict(images)[0], 1) / np.ptp(ungated_logits(gated, images), 1)
        )

    faces, others = crops
    assert left(faces) > 0.85
    assert left(others) < left(faces) - 0.15


def test_it_changes_no_answer(gated, crops):
    images = np.concatenate(crops)
    logits, probabilities = Bundle(gated.bundle_path).predict(images)
    without = ungated_logits(gated, images)
    assert not np.allclose(logits, without, atol=0.01)
    np.testing.assert_array_equal(probabilities.argmax(1), without.argmax(1))


def test_the_bundle_reads_as_torch_and_the_gate_say(gated, crops, tmp_path):
    images = np.concatenate(crops)
    opened = read_gate(gate_of(gated), load_kept(gated)[0], images)
    expected = opened[:, None] * ungated_logits(gated, images)
    for path in (gated.bundle_path, export(gated, tmp_path / "again.onnx").path):
        np.testing.assert_allclose(Bundle(path).predict(images)[0], expected, atol=1e-4)
    int8 = export_int8(gated, tmp_path / "int8.onnx").predict(images)[0]
    assert np.corrcoef(np.ptp(int8, 1), np.ptp(expected, 1))[0, 1] > 0.95


def test_the_weights_know_nothing_of_it(gated):
    weights = load_file(gated.weights_path)
    again = build_model(gated.recipe.model, seed=9)
    load_weights(again, gated.weights_path)
    assert {*again.state_dict(), "votes_head.weight", "votes_head.bias"} == set(weights)
    assert all(torch.equal(value, weights[name]) for name, value in again.state_dict().items())


# Of every family one, with the widths that make it quick; a flattened map has features that hardly
# ever vary, and rounding must not move the gate by them.
@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("quick", ["model.head=flatten", "model.dense=[]", "model.channels=[8,8]"]),
        ("inception-cnn", ["model.stem=8", "model.channels=[8,8]"]),
        ("mien-xs", ["model.stem=8", "model.channels=[8,8]", "model.blocks=[1,1]"]),
    ],
)
def test_every_family_can_have_one(recipe, overrides, faces, tmp_path):
    model = build_model(load_recipe(recipe, overrides).model).eval()
    gate = fit_face_gate(model, faces.images[:60], faces.images[60:80], AugmentSection(), seed=0)
    model.add_face_gate(gate.weight, gate.bias)
    metadata = BundleMetadata(name="x", parameters=count_parameters(model), mien_version="0")
    bundle = export_bundle(model, metadata, tmp_path / "x.onnx", samples=faces.images)
    assert bundle.predict(faces.images[:2])[0].shape == (2, 7)


def test_a_face_is_enough_and_the_seed_decides(faces, gated):
    model = build_model(gated.recipe.model).eval()
    few, others, as_they_are = faces.images[:2], faces.images[2:3], AugmentSection(enabled=False)
    fits = [fit_face_gate(model, few, others, as_they_are, seed=seed) for seed in (0, 0, 1)]
    assert fits[0] == fits[1] != fits[2]
    assert (fits[0].faces, fits[0].non_faces) == (2, 4)
    assert fit_face_gate(model, few[:1], others, as_they_are, seed=0).faces == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", r"damaged \(weight: field required\)"),
        (
            '{"weight": [1.0], "bias": 0, "faces": 1, "non_faces": 2, "faces_open": 1, '
            '"non_faces_open": 0}',
            "has 1 weights, expected 64",
        ),
    ],
)
def test_a_damaged_gate_is_reported(copy, text, said):
    copy.face_gate_path.write_text(text)
    with pytest.raises(RunError, match=rf"face_gate\.json: {said}"):
        export(copy)


def test_it_goes_when_training_goes_on(copy):
    copy.remove_results()
    assert not copy.face_gate_path.exists()


def test_without_a_threshold_it_is_refused():
    with pytest.raises(RecipeError, match=r"train\.face_gate: fitted on images that are kept back"):
        load_recipe("quick", ["train.face_gate=true"])


def test_a_recipe_may_do_without(run):
    assert not run.face_gate_path.exists()
    assert Bundle(run.bundle_path).metadata.face_gate is None
