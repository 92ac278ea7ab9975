"""Fine-tuning on other classes, and training a finished run further."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file

import mien
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.errors import RecipeError, RunError
from mien.images.crop import CropSpec
from mien.labels import LabelSet
from mien.runs.run import Run
from mien.training.listener import TrainingListener
from mien.training.train import continue_training, train

SHORT = ["train.epochs=2", "train.frozen_epochs=1", "data.labels=auto"]
BASE = [
    "model={family='mien_net',stem=4,channels=[8,8],blocks=[0,1]}", "train.batch_size=16",
    "data.labels=auto", "train.epochs=2", "train.schedule=constant", "train.ema_decay=0",
]  # fmt: skip


class Notes(TrainingListener):
    def __init__(self):
        self.lines = []

    def noticed(self, note):
        self.lines.append(note)


def draw(path, *names, crop=CropSpec(), count=60):  # noqa: B008 - frozen
    faces = synthetic_faces(count, seed=2, label_set=LabelSet(names), crop=crop)
    write_dataset(faces, path, "folders")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("finetune")


@pytest.fixture(scope="module")
def mine(folder):
    return draw(folder / "mine", "bored", "glad", "puzzled")


@pytest.fixture(scope="module")
def base(folder):
    """A run of two classes on 32-pixel crops in colour, for two epochs."""
    crop = CropSpec(32, 3)
    data = draw(folder / "base", "calm-ish", "wild", crop=crop)
    overrides = [*BASE, "data.size_px=32", "data.channels=3"]
    return train("quick", data, folder / "run", overrides=overrides)


def test_mien_s_is_tuned_to_other_classes_by_one_call(mine, tmp_path):
    notes = Notes()
    run = train("finetune", mine, tmp_path / "run", overrides=SHORT, listener=notes)
    assert run.recipe.model.family == "mien_net"
    assert run.record.data.labels == ("bored", "glad", "puzzled")
    assert any("last layer starts anew" in note for note in notes.lines)
    assert any("without calibration and without a face gate" in note for note in notes.lines)
    bundle = mien.Bundle(run.path)
    assert bundle.labels == ("bored", "glad", "puzzled")
    assert bundle.metadata.calibration is None


def test_a_runs_architecture_and_crops_are_taken_over(base, mine, tmp_path):
    overrides = [*SHORT, f"model.weights={base.path}"]
    run = train("finetune", mine, tmp_path / "run", overrides=overrides)
    assert run.recipe.model.model_dump()["channels"] == [8, 8]
    assert run.record.data.crop.spec == CropSpec(32, 3)
    assert Run(run.path).recipe.model.weights == str(base.weights_path.parent.resolve())


def test_the_backbone_is_frozen_first_and_the_last_layer_is_new(base, mine, tmp_path):
    overrides = [*SHORT, f"model.weights={base.path}", "train.epochs=3", "train.frozen_epochs=2"]
    run = train(
        "finetune", mine, tmp_path / "run", overrides=[*overrides, "train.unfrozen_lr=1e-12"]
    )
    ours, theirs = load_file(run.weights_path), load_file(base.weights_path)
    for key, tensor in theirs.items():
        if key.startswith("network.features.") and "running" not in key and "batches" not in key:
            torch.testing.assert_close(ours[key], tensor, atol=1e-6, rtol=0)
    assert ours["network.head.1.weight"].shape == (3, 8)
    assert theirs["network.head.1.weight"].shape == (2, 8)


def test_the_last_layer_stays_for_the_same_classes_and_is_new_for_as_many_others(base, tmp_path):
    def begun(*names):
        notes = Notes()
        data = draw(tmp_path / names[0], *names)
        overrides = [*SHORT, f"model.weights={base.path}", "train.lr=1e-12"]
        run = train("finetune", data, tmp_path / f"run {names[0]}", overrides=overrides,
                    listener=notes)  # fmt: skip
        same = load_file(run.weights_path)["network.head.1.weight"]
        anew = any("last layer starts anew" in note for note in notes.lines)
        return same, anew

    theirs = load_file(base.weights_path)["network.head.1.weight"]
    same, anew = begun("calm-ish", "wild")
    torch.testing.assert_close(same, theirs, atol=1e-2, rtol=0)
    assert not anew
    other, anew = begun("left", "right")
    assert anew
    assert not torch.allclose(other, theirs, atol=1e-2)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("mien-m", "model.weights = 'mien-m': mien-m: no such run directory.*mien-s, mien-xs"),
        ("none", "model.weights = 'none'.*expected a run"),
    ],
)
def test_weights_of_no_run_are_refused(weights, said, mine, tmp_path):
    with pytest.raises(RecipeError, match=said):
        train("finetune", mine, tmp_path / "run", overrides=[f"model.weights={weights}"])
    assert not (tmp_path / "run").exists()


def test_a_finished_run_trained_further_is_one_that_never_stopped(base, folder, tmp_path):
    shutil.copytree(base.path, tmp_path / "run")
    further = continue_training(tmp_path / "run", ["train.epochs=4"])
    whole = train(
        "quick", folder / "base", tmp_path / "whole",
        overrides=[*BASE, "data.size_px=32", "data.channels=3", "train.epochs=4"],
    )  # fmt: skip
    assert [row["epoch"] for row in further.history()] == [1, 2, 3, 4]
    assert Run(further.path).recipe.train.epochs == 4
    ours, theirs = load_file(further.weights_path), load_file(whole.weights_path)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert further.record.status == "finished"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "2 epochs are trained already; .*train.epochs=4"),
        (["train.epochs=2"], "2 epochs are trained already"),
        (["train.epochs=4", "model.stem=8"], "model.stem=8: cannot change once"),
        (["train.epochs=4", "train.lr=-1"], "train.lr"),
    ],
)
def test_what_cannot_go_on_is_refused_and_the_run_stays(overrides, said, base):
    before = {path: path.read_bytes() for path in base.path.rglob("*") if path.is_file()}
    with pytest.raises(RecipeError, match=said):
        continue_training(base.path, overrides)
    assert before == {path: path.read_bytes() for path in base.path.rglob("*") if path.is_file()}


def test_a_run_without_its_last_checkpoint_cannot_go_on(base, tmp_path):
    shutil.copytree(base.path, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(RunError, match=r"no last checkpoint.*model\.weights="):
        continue_training(tmp_path / "run", ["train.epochs=4"])


def test_gray_weights_are_not_tuned_in_colour(mine, tmp_path):
    with pytest.raises(RecipeError, match=r"data\.channels = 3: .* mien-s read gray crops"):
        train("finetune", mine, tmp_path / "run", overrides=[*SHORT, "data.channels=3"])
