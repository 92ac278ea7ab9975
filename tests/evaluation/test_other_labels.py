"""Evaluations of Bundles of other labels and crops than FER-2013's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.bundles import RED_GREEN_BLUE, mean_colours, write_bundle

from mien.bundle.bundle import Bundle
from mien.data import FaceDataset
from mien.errors import DataError
from mien.evaluation import Evaluation, evaluate_bundle
from mien.evaluation.robustness import STRENGTHS, measure_robustness
from mien.evaluation.scorecard import measure_scorecard
from mien.evaluation.tta import TTA, predict_tta
from mien.images.crop import CropSpec
from mien.labels import BUILT_IN, FER2013, LabelSet

COLOUR = CropSpec(64, 3)


def coloured(labels, splits, names=RED_GREEN_BLUE, crop=COLOUR) -> FaceDataset:
    """Return crops in the colours that a Bundle of `tests.bundles` reads as their labels."""
    labels = np.array(labels)
    noise = np.random.default_rng(0).normal(0, 20, (len(labels), *crop.shape))
    levels = 255 * mean_colours(len(names), crop.channels)[labels]
    flat = levels[:, None, None] if crop.channels == 3 else levels[:, None]
    return FaceDataset(
        np.clip(noise + flat, 0, 255).astype(np.uint8),
        labels,
        np.array(splits),
        np.array([f"image {row}" for row in range(len(labels))]),
        label_set=LabelSet(names),
        crop=crop,
    )


@pytest.fixture
def bundle(tmp_path):
    return Bundle(write_bundle(tmp_path / "colours.onnx"))


def test_scores_have_the_names_of_the_bundle(bundle, tmp_path):
    faces = coloured([0, 1, 2] * 6 + [0, 1, 2], ["test"] * 18 + ["train"] * 3)
    faces.labels.flags.writeable = True
    faces.labels[0] = 2  # one image is labelled wrongly
    found = evaluate_bundle(bundle, faces, "test")
    assert found.names == RED_GREEN_BLUE
    assert found.accuracy.value == pytest.approx(17 / 18)
    assert np.array(found.confusion).tolist() == [[5, 0, 0], [0, 6, 0], [1, 0, 6]]
    (mistake,) = found.most_confused(5)
    assert (mistake.label, mistake.read, mistake.images) == ("blue", "red", 1)
    assert tuple(found.areas.roc) == RED_GREEN_BLUE
    found.save(tmp_path / "kept.json")
    assert Evaluation.load(tmp_path / "kept.json") == found
    assert found.summary().names == RED_GREEN_BLUE


def test_a_class_may_have_no_image_in_the_split_or_one(bundle):
    faces = coloured([0, 0, 0, 1, 2, 2], ["val"] * 4 + ["train"] * 2)
    found = evaluate_bundle(bundle, faces, "val")
    assert [row.images for row in found.per_class] == [3, 1, 0]
    assert found.per_class[2].f1 is None
    assert found.accuracy.value == found.macro_f1.value == 1
    assert found.areas.roc["blue"] is None
    alone = evaluate_bundle(bundle, faces.take(np.array([3])), "val")
    assert alone.roc_auc.value is None
    assert alone.accuracy.value == 1


@pytest.mark.parametrize(
    ("names", "crop"), [(("dark", "light"), CropSpec()), (tuple("abcdefgh"), CropSpec(112, 3))]
)
def test_two_and_eight_classes_at_other_sizes(tmp_path, names, crop):
    bundle = Bundle(write_bundle(tmp_path / "model.onnx", names, crop))
    labels = list(range(len(names))) * 2
    faces = coloured(labels, ["test"] * len(labels), names, crop)
    found = evaluate_bundle(bundle, faces, "test", tta="ten-crop")
    assert found.accuracy.value == 1
    assert np.shape(found.confusion) == (len(names), len(names))
    robust = measure_robustness(bundle, faces.images, faces.labels)
    assert {len(row) for row in robust.accuracy.values()} == {STRENGTHS}
    assert robust.clean == 1


@pytest.mark.parametrize("tta", TTA)
def test_every_tta_reads_colours(bundle, tta):
    faces = coloured([0, 1, 2, 2], ["test"] * 4)
    found = predict_tta(bundle, faces.images, tta)
    assert found.shape == (4, 3)
    assert found.argmax(1).tolist() == [0, 1, 2, 2]


def test_blocks_change_nothing(bundle, monkeypatch):
    faces = coloured([0, 1, 2] * 30, ["test"] * 90)
    whole = predict_tta(bundle, faces.images, "flip")
    monkeypatch.setattr("mien.evaluation.tta.RELEASE_EVERY", 64)
    assert np.array_equal(predict_tta(bundle, faces.images, "flip"), whole)


def test_data_of_other_labels_or_crops_is_refused_in_a_line(bundle):
    faces = coloured([0, 1, 2], ["test"] * 3)
    renamed = replace(faces, label_set=LabelSet(("cold", "mild", "warm")))
    with pytest.raises(DataError, match="its labels are cold, mild, warm, but mean-colour tells "
                                        "red, green, blue apart"):  # fmt: skip
        evaluate_bundle(bundle, renamed, "test")
    gray = coloured([0, 1, 2], ["test"] * 3, crop=CropSpec())
    with pytest.raises(DataError, match=r"48×48 gray, but mean-colour reads 64×64 colour; .*=64"):
        evaluate_bundle(bundle, gray, "test")


def test_the_scorecard_is_of_fer2013s_labels_alone(tmp_path):
    names = BUILT_IN["ferplus"].names
    bundle = Bundle(write_bundle(tmp_path / "model.onnx", names, CropSpec()))
    faces = coloured(range(8), ["test"] * 8, names, CropSpec())
    faces = replace(faces, votes=np.eye(8, 10, dtype=np.int8) * 10)
    with pytest.raises(DataError, match="its labels are not FER-2013's"):
        measure_scorecard(bundle, faces.test)
    found = evaluate_bundle(bundle, faces, "test", scorecard=True)
    assert found.scorecard is None
    assert "not FER-2013's" in found.no_scorecard
    assert len(found.per_class) == 8 > len(FER2013)
