from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from tests.training.test_votes import MIEN

from mien.data import load_dataset
from mien.data.non_faces import draw_non_faces
from mien.errors import RunError
from mien.evaluation.calibrate import softmax
from mien.models import build_model, to_unit
from mien.models.weights import load_weights
from mien.recipes.sections import AugmentSection
from mien.runtime.bundle import Bundle
from mien.training.face_gate import FaceGate, fit_face_gate
from mien.training.finish import export, load_kept
from mien.training.fit import train
from mien.training.run import Run

GATED = ["train.face_gate=true", "model.channels=[8,64]"]


@pytest.fixture(scope="module")
def gated(layouts, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "gated"
    return train("mien-s", layouts["csv"], out, overrides=[*MIEN, *GATED])


def logits_of(run, images):
    with torch.no_grad():
        return load_kept(run)[0](to_unit(torch.from_numpy(images.copy()))).numpy()


def test_it_is_open_to_faces_and_not_to_what_is_none(gated):
    gate = FaceGate.model_validate_json(gated.face_gate_path.read_bytes())
    assert gate.faces_open > 0.9
    assert gate.non_faces_open < gate.faces_open - 0.2
    assert gate.non_faces == 2 * gate.faces
    about = Bundle(gated.bundle_path).metadata.face_gate
    assert about == {
        "faces": gate.faces,
        "non_faces": gate.non_faces,
        "faces_open": gate.faces_open,
        "non_faces_open": gate.non_faces_open,
    }


def test_non_faces_get_less_sure_readings_and_faces_hardly(gated, layouts, tmp_path):
    faces = load_dataset(layouts["csv"]).val.images
    others = draw_non_faces(faces, 140, seed=5)
    shutil.copytree(gated.path, tmp_path / "run")
    bare = Run(tmp_path / "run")
    bare.face_gate_path.unlink()

    def lost(images):
        own, without = (softmax(logits_of(run, images)).max(1) for run in (gated, bare))
        return np.mean((without - own) / (without - 1 / 7))

    assert lost(others) > 3 * lost(faces)


def test_it_changes_no_answer(gated, layouts):
    dataset = load_dataset(layouts["csv"])
    images = np.concatenate([dataset.val.images, draw_non_faces(dataset.val.images, 35)])
    bare = load_kept(gated)[0]
    bare.add_face_gate(np.zeros(64), 100.0)
    with torch.no_grad():
        without = bare(to_unit(torch.from_numpy(images))).numpy()
    assert not np.allclose(logits_of(gated, images), without, atol=0.01)
    np.testing.assert_array_equal(logits_of(gated, images).argmax(1), without.argmax(1))


def test_the_bundle_has_it_and_so_has_one_exported_again(gated, layouts, tmp_path):
    images = draw_non_faces(load_dataset(layouts["csv"]).val.images, 21)
    expected = logits_of(gated, images)
    for path in (gated.bundle_path, export(gated, tmp_path / "again.onnx").path):
        np.testing.assert_allclose(Bundle(path).predict(images)[0], expected, atol=1e-4)


def test_a_training_that_begins_with_its_weights_begins_without_it(gated):
    classifier = build_model(gated.recipe.model, seed=9)
    load_weights(classifier, gated.weights_path)
    assert not any("gate" in name for name in classifier.state_dict())


def test_two_faces_are_enough_and_the_seed_decides(faces, gated):
    classifier = build_model(gated.recipe.model).eval()
    fits = [
        fit_face_gate(classifier, faces.images[:2], AugmentSection(enabled=False), seed=seed)
        for seed in (0, 0, 1)
    ]
    assert fits[0] == fits[1] != fits[2]
    assert fits[0].faces == 1


def test_a_gate_that_is_damaged_is_told(gated, tmp_path):
    shutil.copytree(gated.path, tmp_path / "run")
    (tmp_path / "run" / "face_gate.json").write_text("{}")
    with pytest.raises(RunError, match=r"face_gate\.json: not what this version of mien writes"):
        export(tmp_path / "run")


def test_a_recipe_may_do_without(run):
    assert not run.face_gate_path.exists()
    assert Bundle(run.bundle_path).metadata.face_gate == {}
