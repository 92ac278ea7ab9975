from __future__ import annotations

import shutil

import numpy as np
import pytest

from mien.data import FaceDataset, load_dataset
from mien.errors import BundleError, DataError, RunError
from mien.evaluation import Evaluation, evaluate, evaluate_bundle
from mien.runtime.bundle import Bundle


def test_json_and_back(run, tmp_path):
    evaluation = Evaluation.load(run.evaluation_path("val"))
    evaluation.save(tmp_path / "again.json")
    assert Evaluation.load(tmp_path / "again.json") == evaluation


def test_measuring_again_gives_the_same_to_the_digit(run, layouts):
    stored = Evaluation.load(run.evaluation_path("val"))
    for model in (run.path, run.bundle_path):
        for data in layouts.values():
            again = evaluate(model, data, "val")
            assert again.accuracy == stored.accuracy
            assert again.per_class == stored.per_class
            assert again.probabilities == stored.probabilities


def test_the_protocol_says_whose_images_these_are(run, layouts, faces):
    sentence = evaluate(run.path, layouts["csv"], "val").protocol.sentence()
    assert "chosen by this very split" in sentence
    assert (
        "trained on these very images"
        in evaluate(run.path, layouts["csv"], "train").protocol.sentence()
    )
    test = evaluate(run.path, layouts["csv"], "test").protocol
    assert not test.chosen_on_split
    assert not test.trained_on_split
    assert test.identical_in_train == 0


def test_copies_in_train_are_counted(run, faces):
    images = faces.images.copy()
    test = np.nonzero(faces.splits == "test")[0]
    train = np.nonzero(faces.splits == "train")[0]
    images[test[:3]] = images[train[:3]]
    leaked = FaceDataset(images, faces.labels, faces.splits, faces.ids)
    protocol = evaluate_bundle(Bundle(run.bundle_path), leaked, "test").protocol
    assert protocol.identical_in_train == 3
    assert "3 images" in protocol.sentence()


def test_a_class_that_is_absent_has_no_scores(run, faces):
    kept = faces.take(np.nonzero((faces.labels != 1) | (faces.splits == "train"))[0])
    evaluation = evaluate_bundle(Bundle(run.bundle_path), kept, "val")
    disgust = evaluation.per_class[1]
    assert (disgust.images, disgust.precision, disgust.f1, disgust.roc_auc) == (0, None, None, None)
    assert evaluation.macro_f1.value is not None


def test_splits_of_the_recipe_are_made_again(run, layouts, tmp_path):
    from tests.conftest import TINY

    from mien.training.fit import train

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
