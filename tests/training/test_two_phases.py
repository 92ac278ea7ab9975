"""Two-phase training: the head on a frozen backbone first, then everything at another rate."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.conftest import TINY

from mien.bundle.bundle import Bundle
from mien.errors import Interrupted, RecipeError, RunError
from mien.models import build_model
from mien.recipes import load_recipe
from mien.reports.report import write_report
from mien.runs.run import Run
from mien.training.kept import load_kept
from mien.training.listener import TrainingListener
from mien.training.train import resume, train

# A network that trains in a moment.
SMALL = [
    "train.batch_size=64", "train.epochs=2", "train.frozen_epochs=1", "train.keep=last",
    "model.dense=[16]", "train.precision=fp32", "model.stem=8", "model.channels=[8]",
    "model.blocks=[0]", "train.schedule=constant",
    "train.optimizer=adam", "train.lr=1e-3", "train.unfrozen_lr=1e-4", "train.ema_decay=0",
    "train.calibration_share=0", "train.votes_in_answer=0", "calibration.prior=0",
    "train.face_gate=false",
]  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A weights file in the published layout; its values are made up."""
    state = build_model(load_recipe("mien-s", SMALL).model, seed=5).network.state_dict()
    features = {key: tensor.clone() for key, tensor in state.items() if "features." in key}
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file({**features, "classifier.bias": torch.zeros(1000)}, path)
    return path


def features(state):
    prefix = "network.features."
    return {k.removeprefix("network."): t for k, t in state.items() if k.startswith(prefix)}


class LeaveIn(TrainingListener):
    """Leaves at once after the first step of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def stepped(self, epoch, batch, running_means):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def first_phase(published, layouts, tmp_path_factory):
    """A run whose last checkpoint is that of the first phase's end."""
    overrides = [*SMALL, f"model.weights={published}"]
    out = tmp_path_factory.mktemp("first") / "run"
    with pytest.raises(Interrupted):
        train("mien-s", layouts["csv"], out, overrides=overrides, listener=LeaveIn(2))
    return Run(out)


@pytest.fixture(scope="module")
def both_phases(published, layouts, tmp_path_factory):
    overrides = [*SMALL, f"model.weights={published}"]
    out = tmp_path_factory.mktemp("both") / "run"
    return train("mien-s", layouts["csv"], out, overrides=overrides)


def test_the_first_phase_leaves_the_backbone_as_it_was(first_phase, published):
    given = load_file(published)
    for key, tensor in features(load_kept(first_phase)[0].state_dict()).items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(tensor, given[key]), key


def test_the_first_phase_trains_the_head(first_phase):
    untrained = build_model(first_phase.recipe.model, seed=0).network.head.state_dict()
    trained = load_kept(first_phase)[0].network.head.state_dict()
    assert any(not torch.equal(tensor, trained[key]) for key, tensor in untrained.items())


def test_the_second_phase_trains_everything_at_its_own_rate(both_phases, published):
    given = load_file(published)
    changed = features(load_file(both_phases.weights_path))
    same = [key for key, tensor in changed.items() if torch.equal(tensor, given[key])]
    assert not same
    assert [row["lr"] for row in both_phases.history()] == [1e-3, 1e-4]


def test_a_run_notes_the_weights_it_began_with(both_phases, published):
    assert both_phases.record.initial_weights.startswith("model.safetensors, SHA-256 ")
    assert both_phases.recipe.model.weights == str(published)  # found from any folder
    report = write_report(both_phases).read_text()
    assert both_phases.record.initial_weights in report
    assert "for 1 epochs with a frozen backbone, then 0.0001 for all layers" in report


def test_its_bundle_names_them_without_the_folders_above(both_phases, published):
    about = Bundle(both_phases.bundle_path).metadata
    begun = f"{published.parent.name}/{published.name}"
    assert about.recipe["model"]["weights"] == begun
    assert f", started from the weights {begun}" in about.checkpoint
    assert str(published.parent) not in about.model_dump_json()


def test_it_resumes_in_the_second_phase_to_the_same_weights(both_phases, first_phase, tmp_path):
    shutil.copytree(first_phase.path, tmp_path / "run")
    resumed = load_file(resume(tmp_path / "run").weights_path)
    for key, tensor in load_file(both_phases.weights_path).items():
        assert torch.equal(tensor, resumed[key]), key


def test_without_weights_it_trains_as_well(layouts, tmp_path):
    run = train("mien-s", layouts["csv"], tmp_path / "run", overrides=SMALL)
    assert Run(run.path).record.initial_weights == ""
    assert len(run.history()) == 2


def test_a_run_does_not_go_on_from_other_weights(layouts, tmp_path):
    weights = tmp_path / "model.safetensors"
    state = build_model(load_recipe("mien-s", SMALL).model, seed=5).state_dict()
    save_file(state, weights)
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        overrides = [*SMALL, f"model.weights={weights}"]
        train("mien-s", layouts["csv"], out, overrides=overrides, listener=LeaveIn(1))
    save_file({**state, "network.head.1.bias": state["network.head.1.bias"] + 1}, weights)
    with pytest.raises(RunError, match=r"not the weights that .* started from"):
        resume(out)


def test_patience_and_plateau_do_not_count_the_first_phase(layouts, tmp_path):
    overrides = [
        *SMALL, "train.epochs=4", "train.frozen_epochs=3",
        "train.early_stopping_patience=1", "train.schedule=plateau", "train.plateau_patience=1",
        "train.lr=1e-12",  # nothing gets better while only the head is trained
    ]  # fmt: skip
    run = train("mien-s", layouts["csv"], tmp_path / "run", overrides=overrides)
    assert [row["lr"] for row in run.history()] == [1e-12, 1e-12, 1e-12, 1e-4]


def test_any_family_can_be_trained_in_two_phases(layouts, tmp_path):
    overrides = [*TINY, "train.frozen_epochs=1", "train.schedule=constant"]
    run = train("quick", layouts["csv"], tmp_path / "run", overrides=overrides)
    assert [row["lr"] for row in run.history()] == [run.recipe.train.lr, 1e-5]


def test_wrong_weights_are_refused_before_a_run_is_made(layouts, tmp_path):
    save_file({"features.conv0.weight": torch.zeros(3)}, tmp_path / "wrong.safetensors")
    overrides = [f"model.weights={tmp_path / 'wrong.safetensors'}"]
    with pytest.raises(RecipeError, match=r"'features.conv0.weight' has the shape \(3,\)"):
        train("densenet169", layouts["csv"], tmp_path / "run", overrides=overrides)
    assert not (tmp_path / "run").exists()
