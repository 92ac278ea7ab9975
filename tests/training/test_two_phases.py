"""Two-phase training: the head on a frozen backbone first, then everything at another rate."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from mien.errors import Interrupted, RecipeError
from mien.models import build_model
from mien.recipes import load_recipe
from mien.training.fit import resume, train
from mien.training.run import Run
from mien.training.watch import Watcher

TINY = [
    "train.batch_size=64", "train.epochs=2", "train.frozen_epochs=1", "train.keep=last",
    "model.dense=[16]", "train.early_stopping_patience=0", "train.precision=fp32",
]  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A weights file in the published layout; its values are made up."""
    state = build_model(load_recipe("densenet169").model, seed=5).network.state_dict()
    features = {key: tensor.clone() for key, tensor in state.items() if "features." in key}
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file({**features, "classifier.bias": torch.zeros(1000)}, path)
    return path


def features(path):
    prefix = "network.features."
    return {
        k.removeprefix("network."): t for k, t in load_file(path).items() if k.startswith(prefix)
    }


@pytest.fixture(scope="module")
def first_phase(published, layouts, tmp_path_factory):
    overrides = [*TINY, f"model.weights={published}", "train.epochs=1"]
    out = tmp_path_factory.mktemp("first") / "run"
    return train("densenet169", layouts["csv"], out, overrides=overrides)


@pytest.fixture(scope="module")
def both_phases(published, layouts, tmp_path_factory):
    overrides = [*TINY, f"model.weights={published}"]
    out = tmp_path_factory.mktemp("both") / "run"
    return train("densenet169", layouts["csv"], out, overrides=overrides)


def test_the_first_phase_leaves_the_backbone_as_it_was(first_phase, published):
    given = load_file(published)
    for key, tensor in features(first_phase.weights_path).items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(tensor, given[key]), key


def test_the_first_phase_trains_the_head(first_phase):
    untrained = build_model(first_phase.recipe.model, seed=0).network.head.state_dict()
    trained = load_file(first_phase.weights_path)
    assert any(not torch.equal(t, trained[f"network.head.{k}"]) for k, t in untrained.items())


def test_the_second_phase_trains_everything_at_its_own_rate(both_phases, published):
    given = load_file(published)
    changed = features(both_phases.weights_path)
    for key in ("features.conv0.weight", "features.norm5.weight", "features.norm0.running_mean"):
        assert not torch.equal(changed[key], given[key]), key
    assert [row["lr"] for row in both_phases.history()] == [1e-3, 1e-4]


def test_a_run_notes_the_weights_it_began_with(both_phases):
    assert both_phases.record.initial_weights.startswith("model.safetensors, SHA-256 ")


class StopInSecondPhase(Watcher):
    """Asks to stop after the second epoch's first step."""

    def stepped(self, epoch, batch, running_means):
        if epoch == 2:
            raise KeyboardInterrupt


def test_it_resumes_in_the_second_phase_to_the_same_weights(
    both_phases, published, layouts, tmp_path
):
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(
            "densenet169",
            layouts["csv"],
            out,
            overrides=[*TINY, f"model.weights={published}"],
            watcher=StopInSecondPhase(),
        )
    resumed = load_file(resume(out).weights_path)
    for key, tensor in load_file(both_phases.weights_path).items():
        assert torch.equal(tensor, resumed[key]), key


def test_without_weights_it_trains_as_well(layouts, tmp_path):
    overrides = [*TINY, "model.weights=none", "train.epochs=1"]
    run = train("densenet169", layouts["csv"], tmp_path / "run", overrides=overrides)
    assert Run(run.path).record.initial_weights == ""


def test_a_family_without_a_backbone_is_refused_before_a_run_is_made(layouts, tmp_path):
    with pytest.raises(RecipeError, match=r"frozen_epochs: this family .* has no backbone"):
        train("quick", layouts["csv"], tmp_path / "run", overrides=["train.frozen_epochs=1"])
    assert not (tmp_path / "run").exists()


def test_wrong_weights_are_refused_before_a_run_is_made(layouts, tmp_path):
    save_file({"features.conv0.weight": torch.zeros(3)}, tmp_path / "wrong.safetensors")
    overrides = [f"model.weights={tmp_path / 'wrong.safetensors'}"]
    with pytest.raises(RecipeError, match=r"'features.conv0.weight' has the shape \(3,\)"):
        train("densenet169", layouts["csv"], tmp_path / "run", overrides=overrides)
    assert not (tmp_path / "run").exists()
