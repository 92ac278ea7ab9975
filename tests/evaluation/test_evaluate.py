from __future__ import annotations

import json

import numpy as np
import pytest

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.data import FaceDataset
from mien.data.duplicates.groups import find_overlap
from mien.errors import DataError
from mien.evaluation import Evaluation, evaluate_bundle
from mien.evaluation.describe import describe_protocol, describe_without_overlap
from mien.evaluation.evaluate import evaluate_probabilities


def rows_of(faces, split):
    return np.nonzero(faces.splits == split)[0]


def planted(faces, into: str, images) -> FaceDataset:
    """The faces, the first of a split replaced by images."""
    changed = faces.images.copy()
    changed[rows_of(faces, into)[: len(images)]] = images
    return FaceDataset(changed, faces.labels, faces.splits, faces.ids)


def accuracy_of(evaluation, rows) -> float:
    return evaluation.right()[rows].mean()


def test_json_and_back(run, tmp_path):
    evaluation = Evaluation.load(run.evaluation_path("val"))
    evaluation.save(tmp_path / "again.json")
    assert Evaluation.load(tmp_path / "again.json") == evaluation


def test_copies_in_train_are_counted(run, faces):
    leaked = planted(faces, "test", faces.train.images[:3])
    evaluation = evaluate_bundle(Bundle(run.bundle_path), leaked, "test")
    assert evaluation.protocol.identical_in_train == 3
    assert "3 images" in evaluation.describe_protocol()


def test_the_score_without_duplicates_is_that_of_the_other_images(run, faces):
    copies, mirrored = faces.train.images[:3], faces.train.images[3:5, :, ::-1]
    leaked = planted(faces, "val", np.concatenate([copies, mirrored]))
    evaluation = evaluate_bundle(Bundle(run.bundle_path), leaked, "val")
    overlap = find_overlap(leaked.val.images, leaked.train.images)
    assert overlap.exact[:3].all()
    assert overlap.any[3:5].all()  # a drawn face can be its own mirror image
    protocol = evaluation.protocol
    assert protocol.identical_in_train == overlap.exact.sum()
    assert protocol.near_in_train == overlap.near.sum()
    assert protocol.near_in_train > 0
    rest = evaluation.without_overlap
    assert rest.images == (~overlap.any).sum()
    assert rest.accuracy.value == pytest.approx(accuracy_of(evaluation, ~overlap.any))
    assert rest.accuracy.low <= rest.accuracy.value <= rest.accuracy.high
    alone = leaked.take(np.concatenate(
        [rows_of(leaked, "train"), rows_of(leaked, "val")[~overlap.any]]
    ))  # fmt: skip
    again = evaluate_bundle(Bundle(run.bundle_path), alone, "val")
    assert again.without_overlap is None
    assert rest.accuracy == again.accuracy
    assert rest.macro_f1 == again.macro_f1
    assert f"on {rest.images} images" in evaluation.describe_without_overlap()
    assert f"exact, {protocol.near_in_train} (" in evaluation.describe_protocol()
    assert "%) near" in evaluation.describe_protocol()
    assert again.describe_without_overlap() == ""
    assert "no duplicates in the train split" in again.describe_protocol()


def test_where_there_is_no_overlap_or_nothing_else_there_is_one_score(run, faces):
    bundle = Bundle(run.bundle_path)
    of_train = evaluate_bundle(bundle, faces, "train")
    assert of_train.protocol.near_in_train is None
    assert of_train.without_overlap is None
    count = len(faces.test)
    leaked = evaluate_bundle(bundle, planted(faces, "test", faces.train.images[:count]), "test")
    assert leaked.protocol.identical_in_train == count
    assert leaked.without_overlap is None
    alone = evaluate_bundle(bundle, faces.take(rows_of(faces, "test")), "test")
    assert alone.protocol.identical_in_train is None
    assert "not counted" in alone.describe_protocol()


def test_what_older_versions_stored_can_be_read(run, tmp_path):
    old = json.loads(run.evaluation_path("val").read_text())
    del old["without_overlap"]
    old["protocol"]["views"] = "single"
    for name in ("tta", "near_in_train", "trained_on", "chosen_by"):
        del old["protocol"][name]
    (tmp_path / "old.json").write_text(json.dumps(old))
    evaluation = Evaluation.load(tmp_path / "old.json")
    assert evaluation.protocol.tta == "none"
    assert evaluation.without_overlap is None
    assert evaluation.describe_without_overlap() == ""
    assert "near duplicates: not counted" in evaluation.describe_protocol()
    for path in shipped_bundles().values():
        for scores in Bundle(path).metadata.scores:
            assert scores.protocol.tta == "none"
            assert describe_protocol(scores.protocol)
            assert describe_without_overlap(scores)


def test_a_summary_is_all_but_the_answers_to_single_images(run):
    evaluation = Evaluation.load(run.evaluation_path("val"))
    plain = evaluation.summary().model_dump(mode="json")
    whole = evaluation.model_dump(mode="json")
    assert whole.keys() - plain.keys() == {"labels", "probabilities"}
    assert plain == {name: whole[name] for name in plain}
    assert evaluation.headline()["accuracy"] == evaluation.accuracy


def test_a_class_that_is_absent_has_no_scores(run, faces):
    kept = faces.take(np.nonzero((faces.labels != 1) | (faces.splits == "train"))[0])
    evaluation = evaluate_bundle(Bundle(run.bundle_path), kept, "val")
    disgust = evaluation.per_class[1]
    assert (disgust.images, disgust.precision, disgust.f1, disgust.roc_auc) == (0, None, None, None)
    assert evaluation.macro_f1.value is not None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(np.nan, "add up to nan"), (np.inf, "add up to inf"), (0.7, "add up to 4.9")],
)
def test_what_are_no_probabilities_is_not_scored(run, wrong, said):
    evaluation = Evaluation.load(run.evaluation_path("val"))
    probabilities = np.array(evaluation.probabilities)
    probabilities[1] = wrong
    with pytest.raises(DataError, match=rf"quick: .*{said}.* for 1 of .* so it cannot be scored"):
        evaluate_probabilities(
            np.array(evaluation.labels),
            probabilities,
            evaluation.protocol,
            names=Bundle(run.bundle_path).labels,
        )
