"""What a run keeps of its evaluations, and what it knows of the images that it is measured on."""

from __future__ import annotations

import csv
import shutil
import threading

import numpy as np
import pytest
from tests.evaluation.test_evaluate import accuracy_of, planted, rows_of

from mien.bundle.bundle import Bundle
from mien.bundle.export import update_metadata
from mien.data import FaceDataset, load_dataset
from mien.data.duplicates.groups import find_overlap
from mien.data.write import write_dataset
from mien.errors import BundleError, DataError, RunError
from mien.evaluation import Evaluation, evaluate_bundle
from mien.runs.evaluations import evaluate, measure, run_folder
from mien.runs.membership import Membership, MembershipError
from mien.runs.test_log import FILE_NAME, count_measurements


@pytest.fixture
def copy(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "copy")
    return tmp_path / "copy"


def test_measuring_again_gives_the_same_to_the_digit(run, layouts):
    stored = Evaluation.load(run.evaluation_path("val"))
    for model in (run.path, run.bundle_path):
        for data in layouts.values():
            again = evaluate(model, data, "val")
            assert again.accuracy == stored.accuracy
            assert again.per_class == stored.per_class
            assert again.probabilities == stored.probabilities


def test_the_protocol_says_whose_images_these_are(run, layouts, faces):
    sentence = evaluate(run.path, layouts["csv"], "val").describe_protocol()
    assert "the weights were chosen by these images" in sentence
    sentence = evaluate(run.path, layouts["csv"], "train").describe_protocol()
    assert "the model was trained on these images" in sentence
    test = evaluate(run.path, layouts["csv"], "test").protocol
    assert not test.chosen_on_split
    assert not test.trained_on_split
    assert test.identical_in_train == 0


def test_images_that_a_run_knows_are_counted(run, faces):
    """In data of other splits, so that only the digests know it."""
    known = Membership.load(run.path).known_among(faces.images)
    assert (known.trained_on == (faces.splits == "train")).all()
    assert (known.chosen_by == (faces.splits == "val")).all()
    test = rows_of(faces, "test")
    mixed = np.concatenate([rows_of(faces, "train")[:5], rows_of(faces, "val")[:4], test])
    splits = np.full(len(mixed), "test")
    other = FaceDataset(faces.images[mixed], faces.labels[mixed], splits, faces.ids[mixed])
    evaluation = measure_without_trace(run, other, "test")
    protocol = evaluation.protocol
    assert (protocol.trained_on, protocol.chosen_by) == (5, 4)
    assert "trained on 5 (" in evaluation.describe_protocol()
    assert "chosen by 4 (" in evaluation.describe_protocol()
    assert evaluation.without_overlap.images == len(test)
    assert evaluation.without_overlap.accuracy.value == accuracy_of(evaluation, slice(9, None))


def measure_without_trace(run, dataset, split):
    known = Membership.load(run.path).known_among(dataset.split(split).images)
    return evaluate_bundle(Bundle(run.bundle_path), dataset, split, known=known)


def test_an_image_of_test_that_chose_the_weights_counts_as_overlap(run, faces):
    changed = planted(faces, "test", faces.val.images[:2])
    evaluation = measure_without_trace(run, changed, "test")
    assert evaluation.protocol.chosen_by == 2
    duplicates = find_overlap(changed.test.images, changed.train.images).any
    duplicates[:2] = True
    assert evaluation.without_overlap.images == (~duplicates).sum()


def test_choosing_by_the_whole_split_leaves_the_others_to_be_compared(run, layouts):
    """All of val chose the weights, which the protocol says; the duplicates are another matter."""
    evaluation = evaluate(run.path, layouts["csv"], "val")
    protocol = evaluation.protocol
    assert protocol.chosen_by == protocol.images
    assert protocol.trained_on == protocol.identical_in_train
    assert protocol.near_in_train is None  # the faces are drawn
    duplicates = protocol.identical_in_train
    left = evaluation.without_overlap.images if evaluation.without_overlap else protocol.images
    assert left == protocol.images - duplicates


def relabelled(faces, names: dict[str, str]) -> FaceDataset:
    """The faces of some splits, under other names."""
    (rows,) = np.nonzero(np.isin(faces.splits, list(names)))
    splits = np.array([names[split] for split in faces.splits[rows].tolist()])
    return FaceDataset(faces.images[rows], faces.labels[rows], splits, faces.ids[rows])


@pytest.mark.parametrize("seen", ["train", "val"])
def test_images_that_a_run_knows_are_no_test(copy, faces, tmp_path, seen):
    data = tmp_path / "renamed.csv"
    write_dataset(relabelled(faces, {seen: "test"}), data, "csv")
    count = len(faces.split(seen))
    with pytest.raises(MembershipError, match=rf"knows {count} of its {count} images") as error:
        evaluate(copy, data, "test")
    assert "\n" not in str(error.value)
    assert count_measurements(copy) == 0
    with pytest.raises(MembershipError):
        evaluate(copy / "model.onnx", data, "test")  # the run's own Bundle
    shutil.move(copy / "model.onnx", tmp_path / "alone.onnx")
    assert evaluate(tmp_path / "alone.onnx", data, "test").protocol.trained_on is None


def test_half_of_them_are_not_most(copy, faces):
    test, bundle = rows_of(faces, "test"), Bundle(copy / "model.onnx")
    for more, refused in ((0, False), (1, True)):
        rows = np.concatenate([rows_of(faces, "train")[: len(test) + more], test])
        splits = np.full(len(rows), "test")
        mixed = FaceDataset(faces.images[rows], faces.labels[rows], splits, faces.ids[rows])
        if refused:
            with pytest.raises(MembershipError):
                measure(bundle, mixed, "test")
        else:
            assert measure(bundle, mixed, "test").without_overlap.images == len(test)


def test_known_images_may_be_measured_by_their_name(copy, faces, tmp_path):
    write_dataset(
        relabelled(faces, {"train": "val", "test": "test"}), tmp_path / "renamed.csv", "csv"
    )
    evaluation = evaluate(copy, tmp_path / "renamed.csv", "val")
    assert evaluation.protocol.trained_on == len(faces.train)
    assert f"trained on {len(faces.train)} (100.0%)" in evaluation.describe_protocol()


def test_each_measurement_on_test_is_logged(copy, layouts, faces):
    for count in (1, 2):
        evaluation = evaluate(copy, layouts["csv"], "test")
        assert count_measurements(copy) == count
    for split in ("train", "val"):
        evaluate(copy, layouts["csv"], split)
    assert count_measurements(copy) == 2
    with (copy / FILE_NAME).open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["data"] for row in rows} == {"fer"}
    assert {row["split_fingerprint"] for row in rows} == {faces.test.fingerprint}
    assert {int(row["images"]) for row in rows} == {len(faces.test)}
    assert {float(row["accuracy"]) for row in rows} == {evaluation.accuracy.value}
    assert all(row["time"].endswith("+00:00") for row in rows)


def test_measurements_of_several_at_once_are_all_logged(copy, faces):
    bundle = Bundle(copy / "model.onnx")
    measure(bundle, faces, "test")  # fills the cache
    threads = [threading.Thread(target=measure, args=(bundle, faces, "test")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count_measurements(copy) == 7
    assert (copy / FILE_NAME).read_text().count("time,") == 1


def test_a_measurement_that_cannot_be_logged_is_said(copy, layouts):
    (copy / FILE_NAME).mkdir()
    with pytest.raises(RunError, match=r"test_log.csv: cannot be written .* is logged"):
        evaluate(copy, layouts["csv"], "test")
    (copy / FILE_NAME).rmdir()
    (copy / FILE_NAME).write_bytes(b"time\n\xff")
    with pytest.raises(RunError, match=r"test_log.csv: damaged"):
        count_measurements(copy)


def test_a_bundle_outside_a_run_leaves_no_trace(run, layouts, tmp_path):
    shutil.copy(run.bundle_path, tmp_path / "model.onnx")
    assert run_folder(tmp_path / "model.onnx") is None
    evaluate(tmp_path / "model.onnx", layouts["csv"], "test")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_an_int8_bundle_in_a_run_is_logged_and_never_kept_as_the_runs_evaluation(copy, layouts):
    shutil.copy(copy / "model.onnx", copy / "model-int8.onnx")
    before = count_measurements(copy)
    evaluation = evaluate(copy / "model-int8.onnx", layouts["csv"], "test")
    assert count_measurements(copy) == before + 1
    assert evaluation.protocol.trained_on == 0  # what the run knows is taken into account
    assert not (copy / "evaluations" / "test.json").exists()


def test_of_an_old_run_what_is_known_stays_known(copy, layouts):
    (copy / "membership.npz").unlink()
    protocol = evaluate(copy, layouts["csv"], "test").protocol
    assert (protocol.trained_on, protocol.chosen_by) == (None, None)
    assert evaluate(copy, layouts["csv"], "train").protocol.trained_on_split
    (copy / "membership.npz").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"membership.npz: damaged"):
        evaluate(copy, layouts["csv"], "val")


def test_splits_of_the_recipe_are_made_again(run, layouts, tmp_path):
    from tests.conftest import TINY

    from mien.training.train import train

    overrides = [*TINY, "train.epochs=1", "data.fractions=[0.5, 0.3, 0.2]"]
    pooled = train("quick", layouts["csv"], tmp_path / "pooled", overrides=overrides)
    assert evaluate(pooled.path, layouts["folders"], "val").protocol.images == len(
        load_dataset(layouts["csv"], fractions=(0.5, 0.3, 0.2)).val
    )


def test_what_cannot_be_measured_is_said(run, layouts, tmp_path):
    with pytest.raises(BundleError, match="no such run"):
        evaluate("nowhere", layouts["csv"])
    with pytest.raises(DataError, match="no split is called"):
        evaluate(run.path, layouts["csv"], "training")
    only_train = tmp_path / "train"
    shutil.copytree(layouts["folders"] / "train", only_train / "train")
    with pytest.raises(DataError, match=r"split 'test' has no images \(there are: train .*, val"):
        evaluate(run.path, only_train, "test")
    with pytest.raises(RunError, match="cannot be read"):
        Evaluation.load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"accuracy": 3}')
    with pytest.raises(RunError, match="damaged"):
        Evaluation.load(tmp_path / "bad.json")


def test_a_recipe_that_splits_data_in_an_unknown_way_is_said(run, layouts, tmp_path):
    shutil.copy(run.bundle_path, tmp_path / "newer.onnx")
    bundle = Bundle(tmp_path / "newer.onnx")
    recipe = {**bundle.metadata.recipe, "data": {"by_person": True}}
    update_metadata(bundle, bundle.metadata.model_copy(update={"recipe": recipe}))
    with pytest.raises(BundleError, match=r"newer\.onnx: its recipe .*\(unknown key 'by_person'"):
        evaluate(bundle.path, layouts["csv"])


def test_an_evaluation_on_the_own_data_without_tta_is_kept(copy, layouts, tmp_path):
    shutil.rmtree(copy / "evaluations")
    evaluate(copy, layouts["csv"], "val", tta="flip")
    write_dataset(
        relabelled(load_dataset(layouts["csv"]), {"train": "val"}), tmp_path / "other.csv", "csv"
    )
    evaluate(copy, tmp_path / "other.csv", "val")
    assert not (copy / "evaluations").exists()
    measured = evaluate(copy, layouts["csv"], "val")
    assert Evaluation.load(copy / "evaluations" / "val.json") == measured
