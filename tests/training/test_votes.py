"""FER+ votes as a second task, and the calibration of a run that keeps images back."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mien.bundle.bundle import Bundle
from mien.bundle.metadata import Calibration
from mien.data import load_dataset
from mien.data.fer2013 import FERPLUS_VOTES
from mien.data.votes import vote_columns
from mien.data.write import write_dataset
from mien.errors import BundleError, RecipeError, RunError
from mien.evaluation.calibration import softmax
from mien.explain.network import load_network
from mien.labels import FER2013
from mien.models import build_model, to_unit
from mien.models.weights import find_weights, load_weights, open_network
from mien.recipes import load_recipe
from mien.recipes.families import FAMILIES
from mien.runs.run import Run
from mien.training.batches import Batch
from mien.training.export import export, export_int8
from mien.training.kept import load_kept
from mien.training.listener import TrainingListener
from mien.training.module import Trainable
from mien.training.train import train

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
    return Batch(images, torch.zeros(len(votes), dtype=torch.int64), votes)


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


def test_every_family_can_learn_votes():
    for name in FAMILIES.names():
        recipe = load_recipe("quick", [f"model={{family='{name}'}}", "train.votes_weight=1.0"])
        module = Trainable(build_model(recipe.model), recipe)
        assert module.votes_head.in_features == module.classifier.network.num_features


class Ear(TrainingListener):
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
    return train("mien-s", layouts["csv"], out, overrides=MIEN, listener=ear)


def test_what_takes_its_time_before_and_after_training_is_said(calibrated, ear):
    assert [what.split()[0] for what in ear.heard] == [
        "Searching", "Calibrating", "Writing",
    ]  # fmt: skip


def test_the_calibration_and_the_threshold_are_in_the_bundle(calibrated, layouts, tmp_path):
    found = Calibration.model_validate_json(calibrated.calibration_path.read_bytes())
    bundle = Bundle(calibrated.bundle_path)
    about = bundle.metadata
    assert about.uncertain_below == found.uncertain_below
    assert about.calibration == found
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


def test_a_calibration_of_another_version_is_reported(calibrated, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(calibrated.path, path)
    (path / "calibration.json").write_text('{"temperature": 1.1}')
    with pytest.raises(RunError, match=r"calibration\.json: damaged \(images: field required\)"):
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
    assert score.protocol.split == "val"
    assert bundle.metadata.calibration == Bundle(calibrated.bundle_path).metadata.calibration


def test_the_protocol_says_that_votes_were_learned(calibrated, layouts):
    voted = load_dataset(layouts["csv"])
    assert voted.votes is None
    assert "votes" not in Bundle(calibrated.bundle_path).metadata.checkpoint


def test_a_run_learns_from_votes_and_says_so(faces, tmp_path):
    votes = np.zeros((len(faces), 10), np.int8)
    votes[np.arange(len(faces)), faces.labels] = 7
    path = tmp_path / "voted.parquet"
    write_dataset(replace(faces, votes=votes), path, "parquet")
    run = train("mien-s", path, tmp_path / "run", overrides=[*MIEN, "train.epochs=1"])
    assert run.record.data.train_voted == len(faces.train)
    assert "learned FER+'s votes" in Bundle(run.bundle_path).metadata.checkpoint


@pytest.fixture(scope="module")
def voted(layouts, tmp_path_factory):
    """The drawn faces as a data set with votes: of ten, seven for the label and three for fear."""
    faces = load_dataset(layouts["csv"])
    votes = np.zeros((len(faces), 10), np.int8)
    votes[np.arange(len(faces)), np.array(vote_columns(FER2013))[faces.labels]] = 7
    votes[:, FERPLUS_VOTES.index("fear")] += 3
    path = tmp_path_factory.mktemp("voted") / "voted.parquet"
    write_dataset(replace(faces, votes=votes), path, "parquet")
    return path


@pytest.fixture(scope="module")
def mixed(voted, tmp_path_factory):
    settings = [*MIEN, "train.votes_in_answer=0.4", "calibration.prior=0.5"]
    return train("mien-s", voted, tmp_path_factory.mktemp("runs") / "mixed", overrides=settings)


def by_hand(run, images):
    """Return the probabilities of a run's answer, from its file of weights and its record."""
    network, votes_head = open_network(run.recipe.model, run.weights_path)
    found = Calibration.model_validate_json(run.calibration_path.read_bytes())
    with torch.no_grad():
        features = network.features(to_unit(torch.from_numpy(images.copy())))
        labels = network.last_layer(features).softmax(1)
        votes = features @ votes_head["votes_head.weight"].T + votes_head["votes_head.bias"]
    votes = votes[:, list(vote_columns(FER2013))].softmax(1)
    counts = np.array(list(run.record.data.train_class_counts.values()), float)
    blend = (0.6 * labels + 0.4 * votes).log().numpy()
    return softmax((blend - 0.5 * np.log(counts / counts.sum())) / found.temperature)


def test_votes_are_mixed_into_the_answer_and_the_prior_is_taken_out(mixed, voted):
    images = load_dataset(voted).val.images
    answer = Bundle(mixed.bundle_path).predict(images)[1]
    # The prior is that of the fitted images, whose shares are those of train but for rounding.
    np.testing.assert_allclose(answer, by_hand(mixed, images), atol=2e-3)
    about = Bundle(mixed.bundle_path).metadata
    assert about.calibration.votes_share == 0.4
    assert "a share of 0.4 for the votes in its answer" in about.checkpoint


def test_what_is_explained_and_taught_answers_as_the_bundle_does(mixed, voted, tmp_path):
    images = load_dataset(voted).val.images
    unit = to_unit(torch.from_numpy(images.copy()))
    expected = Bundle(mixed.bundle_path).predict(images)[0]
    beside = tmp_path / "mixed.onnx"
    shutil.copy(mixed.bundle_path, beside)
    shutil.copy(mixed.weights_path, beside.with_suffix(".safetensors"))
    slim = tmp_path / "slim"
    shutil.copytree(mixed.path, slim, ignore=shutil.ignore_patterns("*.ckpt", "*.onnx"))
    for network in (load_kept(mixed)[0], load_kept(Run(slim))[0], load_network(beside)):
        with torch.no_grad():
            np.testing.assert_allclose(network(unit).numpy(), expected, atol=1e-4)


def test_int8_keeps_the_mixed_answer(mixed, voted, tmp_path):
    images = load_dataset(voted).val.images
    int8 = export_int8(mixed, tmp_path / "int8.onnx").predict(images)[1]
    labels, _ = open_network(mixed.recipe.model, mixed.weights_path)
    with torch.no_grad():
        alone = labels(to_unit(torch.from_numpy(images.copy()))).softmax(1).numpy()
    mean = Bundle(mixed.bundle_path).predict(images)[1]
    assert np.abs(int8 - mean).mean() < 0.2 * np.abs(alone - mean).mean()


def test_without_votes_in_the_data_there_are_none_in_the_answer(layouts, tmp_path):
    settings = [*MIEN, "train.epochs=1", "train.votes_in_answer=0.4"]
    run = train("mien-s", layouts["csv"], tmp_path / "run", overrides=settings)
    about = Bundle(run.bundle_path).metadata
    assert about.calibration.votes_share == 0
    assert "in its answer" not in about.checkpoint


def test_further_training_goes_on_from_the_votes_layer_too(mixed):
    recipe = load_recipe("mien-s", [*MIEN, f"model.weights='{mixed.weights_path}'"])
    module = Trainable(build_model(recipe.model), recipe)
    module.load_votes_head(find_weights(recipe.model))
    weights = load_file(mixed.weights_path)
    assert torch.equal(module.votes_head.weight, weights["votes_head.weight"])


def test_an_answer_of_votes_needs_their_layer_and_kept_images():
    with pytest.raises(RecipeError, match=r"train: votes_in_answer .* set votes_weight to 1"):
        load_recipe("mien-s", ["train.votes_weight=0"])
    every = "--set train.face_gate=false --set train.votes_in_answer=0 --set calibration.prior=0"
    with pytest.raises(RecipeError, match=f"calibration_share is 0; .* do without: {every}"):
        load_recipe("mien-s", ["train.calibration_share=0"])


def test_a_run_without_its_checkpoint_knows_its_epoch(calibrated, tmp_path):
    path = tmp_path / "slim"
    shutil.copytree(calibrated.path, path, ignore=shutil.ignore_patterns("*.ckpt"))
    recipe = (path / "recipe.toml").read_text().replace('keep = "last"', 'keep = "best"')
    (path / "recipe.toml").write_text(recipe)
    lines = (path / "history.csv").read_text().splitlines()
    accuracy = lines[0].split(",").index("val_accuracy")
    rows = [line.split(",") for line in lines[1:]]
    rows[0][accuracy], rows[1][accuracy] = "0.9", "0.1"
    (path / "history.csv").write_text("\n".join([lines[0], *map(",".join, rows)]) + "\n")
    assert len(load_kept(Run(path))[1]) == 1


def test_a_mixed_answer_without_its_layer_is_said(mixed, tmp_path):
    slim = tmp_path / "slim"
    shutil.copytree(mixed.path, slim, ignore=shutil.ignore_patterns("*.ckpt"))
    weights = load_file(slim / "model.safetensors")
    save_file({k: v for k, v in weights.items() if "votes" not in k}, slim / "model.safetensors")
    with pytest.raises(RunError, match=r"model\.safetensors: has no layer of FER\+ votes"):
        load_kept(Run(slim))
    shutil.copy(slim / "model.onnx", tmp_path / "one.onnx")
    shutil.copy(slim / "model.safetensors", tmp_path / "one.safetensors")
    with pytest.raises(BundleError, match=r"one\.safetensors: has no layer of FER\+ votes"):
        load_network(tmp_path / "one.onnx")


def test_what_the_data_does_not_have_is_not_lifted(voted, tmp_path):
    faces = load_dataset(voted)
    path = tmp_path / "five.parquet"
    write_dataset(faces.take(np.nonzero(faces.labels < 5)[0]), path, "parquet")
    settings = [*MIEN, "train.epochs=1", "calibration.prior=1"]
    taken = train("mien-s", path, tmp_path / "run", overrides=settings)
    shares = Calibration.model_validate_json(taken.calibration_path.read_bytes()).offset
    assert max(shares[5:]) <= max(shares[:5]) + 1e-9
