"""What would fail a training late fails it early, and leaves no run that cannot go on."""

from __future__ import annotations

import pytest
import torch
from tests.conftest import TINY

from mien.errors import MienError
from mien.models import build_model
from mien.recipes import load_recipe
from mien.training.listener import TrainingListener
from mien.training.preflight import preflight, prepare
from mien.training.train import train


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["train.calibration_share=0.01"], "expected at least 10; raise train.calibration_share"),
        (
            [
                "model.dense=[8]",
                "train.votes_weight=1",
                "train.votes_in_answer=0.3",
                "train.calibration_share=0.2",
            ],
            r"votes_in_answer: .* model\.dense puts layers between",
        ),
        (["model.head=flatten", "augment.crop_px=40"], r"crop_px = 40: this network reads"),
    ],
)
def test_it_is_said_before_there_is_a_run(layouts, tmp_path, settings, expected):
    with pytest.raises(MienError, match=expected):
        train("quick", layouts["csv"], tmp_path / "run", overrides=[*TINY, *settings])
    assert not (tmp_path / "run").exists()


def test_a_teacher_of_other_splits_leaves_no_run(run, layouts, tmp_path):
    settings = [*TINY, f"distill.teachers=['{run.path}']", "data.fractions=[0.6,0.2,0.2]"]
    with pytest.raises(MienError, match="it may have learned from images of val or test"):
        train("quick", layouts["csv"], tmp_path / "run", overrides=settings)
    assert not (tmp_path / "run").exists()


def test_what_can_be_trained_passes_and_draws_no_random_numbers(faces):
    recipe = load_recipe("quick", [*TINY, "augment.crop_px=40"])
    before = torch.get_rng_state()
    prepared = prepare(recipe, faces, [], TrainingListener())
    preflight(recipe, prepared, build_model(recipe.model))
    assert torch.equal(torch.get_rng_state(), before)
