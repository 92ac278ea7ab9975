"""FER+ votes as a second task, and the calibration of a run that keeps images back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.conftest import TINY

from mien.data import load_dataset
from mien.data.parquet import write_parquet
from mien.errors import RecipeError, RunError
from mien.evaluation.calibrate import Calibration, softmax
from mien.models import build_model, to_unit
from mien.models.weights import find_weights, load_weights
from mien.recipes import load_recipe
from mien.runtime.bundle import Bundle
from mien.training.finish import export, export_int8, load_kept
from mien.training.fit import train
from mien.training.module import Trainable, votes_loss
from mien.training.run import Run
from mien.training.watch import Watcher

MIEN = [
    "train.epochs=2", "train.batch_size=32", "model.stem=8", "model.channels=[8,16]",
    "model.blocks=[1,0]", "train.calibration_share=0.3",
    "train.face_gate=false",
]  # fmt: skip


def trainable(*overrides):
    recipe = load_recipe("mien-s", [*MIEN, *overrides])
    return Trainable(build_model(recipe.model), recipe)


def batch(votes):
    generator = torch.manual_seed(0)
    images = torch.randint(0, 256, (len(votes), 48, 48), dtype=torch.uint8, generator=generator)
    return images, torch.zeros(len(votes), dtype=torch.int64), votes


def test_the_loss_is_the_cross_entropy_with_the_shares_of_the_votes():
    votes = torch.zeros(2, 10)
    votes[0, :2] = torch.tensor([6.0, 2.0])
    logits = torch.randn(2, 10, generator=torch.manual_seed(1))
    spoken = logits.log_softmax(1)
    by_hand = -(0.75 * spoken[0, 0] + 0.25 * spoken[0, 1]) / 2  # the second has no votes
    assert votes_loss(logits, votes) == pytest.approx(float(by_hand))


def test_votes_teach_the_network_too_and_their_absence_teaches_nothing():
    module = trainable("model.dropout=0")
    votes = torch.zeros(8, 10)
    module.training_step(batch(votes), 0).backward()
    assert not module.votes_head.weight.grad.any()
    votes[:, 3] = 10
    module.training_step(batch(votes), 0).backward()
    assert module.votes_head.weight.grad.any()


def test_the_votes_layer_learns_as_the_network_does():
    module = trainable()
    optimizer = module.configure_optimizers()
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    votes = torch.zeros(8, 10)
    votes[:, 3] = 10
    module.training_step(batch(votes), 0).backward()
    optimizer.step()
    stuck = [name for name, value in module.named_parameters() if torch.equal(value, before[name])]
    assert not stuck
    assert "votes_head.weight" in before


def test_networks_without_features_have_no_votes():
    recipe = load_recipe("quick", [*TINY, "train.votes_weight=1.0"])
    with pytest.raises(RecipeError, match=r"train\.votes_weight: this family of networks has no"):
        Trainable(build_model(recipe.model), recipe)


class Ear(Watcher):
    def __init__(self):
        self.heard = []

    def working(self, what):
        self.heard.append(what)


@pytest.fixture(scope="module")
def ear():
    return Ear()


@pytest.fixture(scope="module")
def calibrated(layouts, ear, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "calibrated"
    return train("mien-s", layouts["csv"], out, overrides=MIEN, watcher=ear)


def test_what_takes_its_time_before_and_after_training_is_said(calibrated, ear):
    assert [what.split()[0] for what in ear.heard] == ["Looking", "Calibrating"]


def test_the_calibration_and_the_threshold_are_in_the_bundle(calibrated, layouts, tmp_path):
    found = Calibration.model_validate_json(calibrated.calibration_path.read_bytes())
    bundle = Bundle(calibrated.bundle_path)
    about = bundle.metadata
    assert about.uncertain_below == found.uncertain_below
    assert about.calibration == json.loads(calibrated.calibration_path.read_bytes())
    images = load_dataset(layouts["csv"]).val.images
    logits, probabilities = bundle.predict(images)
    bare = tmp_path / "bare"
    shutil.copytree(calibrated.path, bare)
    (bare / "calibration.json").unlink()
    with torch.no_grad():
        own = load_kept(Run(bare))[0](to_unit(torch.from_numpy(images.copy()))).numpy()
    expected = own @ np.array(found.matrix) + np.array(found.bias)
    assert not np.allclose(own, expected, atol=1e-2)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    np.testing.assert_allclose(probabilities, softmax(expected), atol=1e-5)
    assert export(calibrated, tmp_path / "again.onnx").metadata == about


def test_a_calibration_of_another_version_is_told(calibrated, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(calibrated.path, path)
    (path / "calibration.json").write_text('{"temperature": 1.1}')
    with pytest.raises(RunError, match=r"calibration\.json: not what this version of mien writes"):
        export(path)


def test_the_votes_head_is_no_part_of_the_network(calibrated):
    recorded = calibrated.record.parameters
    assert recorded == sum(p.numel() for p in build_model(calibrated.recipe.model).parameters())
    assert Bundle(calibrated.bundle_path).metadata.parameters == recorded


def test_but_the_file_of_weights_keeps_it_to_be_measured(calibrated):
    weights = load_file(calibrated.weights_path)
    assert weights["votes_head.weight"].shape == (10, 16)
    recipe = load_recipe("mien-s", [*MIEN, f"model.weights='{calibrated.weights_path}'"])
    again = build_model(recipe.model, seed=7)
    load_weights(again, find_weights(recipe.model))
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_int8_is_measured_by_itself(calibrated, tmp_path):
    bundle = export_int8(calibrated)
    assert bundle.path == calibrated.path / "model-int8.onnx"
    (score,) = bundle.metadata.scores
    assert score["protocol"]["split"] == "val"
    assert bundle.metadata.calibration == Bundle(calibrated.bundle_path).metadata.calibration


def test_the_protocol_says_that_votes_were_learnt(calibrated, layouts):
    voted = load_dataset(layouts["csv"])
    assert voted.votes is None
    assert "votes" not in Bundle(calibrated.bundle_path).metadata.checkpoint


def test_a_data_set_with_votes_is_learnt_from_and_said(faces, tmp_path):
    votes = np.zeros((len(faces), 10), np.int8)
    votes[np.arange(len(faces)), faces.labels] = 7
    path = tmp_path / "voted.parquet"
    write_parquet(replace(faces, votes=votes), path)
    run = train("mien-s", path, tmp_path / "run", overrides=[*MIEN, "train.epochs=1"])
    assert run.record.data.train_voted == len(faces.train)
    assert "learnt FER+'s votes" in Bundle(run.bundle_path).metadata.checkpoint
