"""What a comparison takes from runs, and which runs cannot be compared."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from tests.bundles import write_bundle
from tests.conftest import TINY

from mien.data import FaceDataset
from mien.data.write import write_dataset
from mien.errors import MienError, RunError
from mien.evaluation import Evaluation
from mien.evaluation.significance import compare
from mien.images.crop import CropSpec
from mien.labels import FER2013
from mien.runs.compare import load_compared_runs
from mien.runs.evaluations import evaluate, evaluation_of
from mien.runs.run import Run
from mien.runs.test_log import count_measurements
from mien.training.train import train


@pytest.fixture(scope="module")
def held_out(layouts, tmp_path_factory):
    """A run that chose by a part of train, so that val is test to it."""
    out = tmp_path_factory.mktemp("held") / "held-out"
    overrides = [*TINY, "train.epochs=1", "data.validation_share=0.2"]
    return train("quick", layouts["csv"], out, overrides=overrides)


@pytest.fixture
def copy(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "copy")
    return tmp_path / "copy"


def test_two_runs_are_compared_on_val(run, copy):
    ours, theirs = load_compared_runs([run.path, copy])
    assert ours.evaluation.protocol.split == "val"
    assert (ours.name, theirs.name) == (run.path.name, "copy")
    assert ours.parameters == run.record.parameters
    assert ours.macs == run.record.macs
    assert len(ours.history) == 2
    assert ours.evaluation.accuracy == theirs.evaluation.accuracy


def test_an_evaluation_is_measured_once_and_kept(copy):
    run = Run(copy)
    shutil.rmtree(copy / "evaluations")
    measured = evaluation_of(run, "test")
    assert Evaluation.load(run.evaluation_path("test")) == measured
    assert measured == evaluate(copy, run.record.data.paths, "test")


def test_measuring_on_test_is_logged_and_reading_what_was_kept_is_not(copy):
    run = Run(copy)
    shutil.rmtree(copy / "evaluations")
    for _ in range(2):
        evaluation_of(run, "val")
        evaluation_of(run, "test")
        assert count_measurements(copy) == 1


def test_data_that_has_changed_is_not_measured_on(copy, layouts, tmp_path):
    shutil.rmtree(copy / "evaluations")
    lines = layouts["csv"].read_text().splitlines()
    (tmp_path / "other.csv").write_text("\n".join(lines[:-1]) + "\n")
    run = Run(copy)
    run.update(data=run.record.data.model_copy(update={"paths": (str(tmp_path / "other.csv"),)}))
    with pytest.raises(RunError, match=r"other\.csv: not the images.* mien evaluate"):
        evaluation_of(run, "test")
    assert count_measurements(copy) == 0


def test_a_test_split_that_was_learned_is_not_compared_on(faces, tmp_path):
    images = faces.images.copy()
    (test,) = np.nonzero(faces.splits == "test")
    images[test] = faces.train.images[: len(test)]
    write_dataset(
        FaceDataset(images, faces.labels, faces.splits, faces.ids), tmp_path / "leaked.csv", "csv"
    )
    overrides = [*TINY, "train.epochs=1", "train.keep=last", "train.schedule=constant"]
    leaked = train("quick", tmp_path / "leaked.csv", tmp_path / "run", overrides=overrides)
    protocol = evaluation_of(leaked, "val").protocol
    assert protocol.chosen_by == 0  # the last epoch was kept, whatever val said
    with pytest.raises(RunError, match=r"its test split cannot test .*run, which") as no:
        evaluation_of(leaked, "test")
    assert "has moved" not in str(no.value)
    assert not leaked.evaluation_path("test").exists()


def test_held_out_images_come_from_train_and_the_others_are_test(held_out, faces):
    counts = held_out.record.data.split_counts
    stated = faces.split_counts()
    assert counts["test"] == stated["val"] + stated["test"]
    assert counts["val"] == pytest.approx(0.2 * stated["train"], abs=4)


def test_names_are_as_long_as_needed(run, copy, tmp_path):
    other = tmp_path / "other" / "copy"
    shutil.copytree(copy, other)
    names = [one.name for one in load_compared_runs([copy, other], "val")]
    assert names == [f"{tmp_path.name}/copy", "other/copy"]


def test_a_bundle_is_measured_on_the_data_of_the_run(run):
    loaded = load_compared_runs([run.path, "mien-xs", run.bundle_path], "test")
    ours, shipped, same = loaded
    assert shipped.name == "mien-xs"
    assert shipped.evaluation.protocol.data == ours.evaluation.protocol.data
    assert shipped.evaluation.protocol.split_fingerprint == (
        ours.evaluation.protocol.split_fingerprint
    )
    assert (shipped.history, shipped.seconds_per_epoch) == ((), None)
    assert shipped.settings["model.stem"] == 16
    assert same.evaluation.accuracy == ours.evaluation.accuracy
    assert len(compare(loaded).groups) == 1


def test_a_bundle_of_other_crops_and_bundles_alone_are_refused(run, tmp_path):
    other = write_bundle(tmp_path / "own.onnx", FER2013.names, CropSpec(112, 3))
    with pytest.raises(RunError, match=r"own\.onnx: reads face crops of 112×112 colour, but"):
        load_compared_runs([run.path, other])
    with pytest.raises(RunError, match="no run is named, expected at least one"):
        load_compared_runs(["mien-s", "mien-xs"])


def test_too_few_and_twice_the_same(run):
    with pytest.raises(RunError, match="1 run to compare, expected at least two"):
        load_compared_runs([run.path])
    with pytest.raises(RunError, match="named twice"):
        load_compared_runs([run.path, run.path / ".." / run.path.name])


def test_a_run_that_never_finished_is_refused(run, copy):
    Run(copy).update(status="interrupted")
    with pytest.raises(
        RunError, match=r"has not finished \(2 of 2 epochs\); finish it: mien train"
    ):
        load_compared_runs([run.path, copy])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: (path / "run.json").write_text("{"), r"run\.json: damaged"),
        (lambda path: (path / "recipe.toml").write_text("["), r"recipe\.toml: damaged"),
        (lambda path: (path / "history.csv").write_text("a\n1,2\n"), r"history\.csv: damaged"),
        (lambda path: (path / "history.csv").unlink(), r"history\.csv: damaged"),
        (lambda path: (path / "model.onnx").write_bytes(b"x"), "not an ONNX file"),
        (lambda path: (path / "model.onnx").unlink(), "no such file"),
        (
            lambda path: (path / "evaluations" / "val.json").write_text("{}"),
            r"val\.json: damaged",
        ),
    ],
    ids=["record", "recipe", "history", "no history", "Bundle", "no Bundle", "evaluation"],
)
def test_a_damaged_run_is_refused(run, copy, damage, said):
    damage(copy)
    with pytest.raises(MienError, match=said) as error:
        load_compared_runs([run.path, copy], "val")
    assert "\n" not in str(error.value)


def test_an_evaluation_of_other_weights_is_not_taken(copy):
    run = Run(copy)
    stale = evaluation_of(run, "test")
    protocol = stale.protocol.model_copy(update={"checkpoint": "epoch 1 of 2, the last"})
    accuracy = stale.accuracy.model_copy(update={"value": 0.99})
    changed = stale.model_copy(update={"protocol": protocol, "accuracy": accuracy})
    changed.save(run.evaluation_path("test"))
    assert evaluation_of(run, "test") == stale


def test_data_that_has_moved_is_said(copy, run, tmp_path):
    shutil.rmtree(copy / "evaluations")
    record = json.loads((copy / "run.json").read_text())
    record["data"]["paths"] = [str(tmp_path / "gone.csv")]
    (copy / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"gone\.csv.* mien evaluate .*copy --data PATH"):
        load_compared_runs([run.path, copy])


def test_runs_no_two_of_which_have_the_same_labels_are_refused(run, copy):
    record = json.loads((copy / "run.json").read_text())
    counts = {"cold": 3, "mild": 4, "warm": 5}
    record["data"]["train_class_counts"] = counts
    (copy / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError) as error:
        load_compared_runs([run.path, copy])
    assert str(error.value) == (
        f"these runs cannot be compared, because their labels differ ({run.path.name}: "
        f"{', '.join(run.record.data.labels)}; copy: cold, mild, warm)"
    )
