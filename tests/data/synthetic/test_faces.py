from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mien.data import load_dataset
from mien.data.synthetic.expressions import choose_looks
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.errors import DataError
from mien.evaluation import Evaluation
from mien.images.crop import CropSpec, to_gray
from mien.labels import BUILT_IN, FER2013, LabelSet
from mien.training.train import train


def test_the_same_seed_draws_the_same_faces_and_another_seed_others():
    first, again, other = (synthetic_faces(50, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.images, again.images)
    assert (first.images != other.images).any()
    assert len({hashlib.sha256(image.tobytes()).digest() for image in first.images}) == 50


def test_classes_are_as_unequal_as_in_fer2013():
    counts = synthetic_faces(1000).class_counts()
    assert counts["happy"] == pytest.approx(251, abs=8)
    assert counts["disgust"] == pytest.approx(15, abs=2)
    assert set(synthetic_faces(300).split_counts()) == {"train", "val", "test"}


def test_too_few_faces_are_refused():
    with pytest.raises(DataError, match="at least 7"):
        synthetic_faces(6)


def numbered(count):
    return LabelSet(tuple(f"kind {number}" for number in range(count)))


def test_too_few_faces_for_other_classes_are_refused():
    with pytest.raises(DataError, match="2 faces, expected at least 3"):
        synthetic_faces(2, label_set=numbered(3))


def test_other_classes_are_equally_frequent():
    assert list(synthetic_faces(11, label_set=numbered(3)).class_counts().values()) == [4, 4, 3]


def test_every_class_has_a_look_of_its_own_by_its_position():
    looks = choose_looks(numbered(20))
    assert len(set(looks)) == 20
    assert choose_looks(LabelSet(tuple("abcdefgh"))) == looks[:8]
    mixed = choose_looks(LabelSet(("happiness", "odd", "contempt", "even")))
    assert mixed[0] == choose_looks(FER2013)[3]
    assert len(set(mixed)) == 4
    with pytest.raises(DataError, match="21 classes that are no emotions, expected at most 20"):
        choose_looks(numbered(21))


def test_emotions_look_alike_in_every_set_that_names_them():
    own = dict(zip(FER2013.names, choose_looks(FER2013), strict=True))
    for labels in BUILT_IN.values():
        for name, look in zip(labels.names, choose_looks(labels), strict=True):
            assert own.get(name, look) == look


@pytest.mark.parametrize("crop", [CropSpec(24), CropSpec(64, 3), CropSpec(112, 3), CropSpec(224)])
def test_faces_of_any_size_are_drawn_at_that_size(crop):
    faces = synthetic_faces(6, seed=3, label_set=numbered(3), crop=crop)
    assert (faces.images.shape, faces.crop) == ((6, *crop.shape), crop)
    assert (faces.images.reshape(6, -1).std(1) > 8).all()


def test_a_seed_draws_the_same_faces_at_any_size_and_in_colour():
    small = synthetic_faces(20, seed=3, label_set=numbered(3))
    large = synthetic_faces(20, seed=3, label_set=numbered(3), crop=CropSpec(48, 3))
    assert np.array_equal(small.labels, large.labels)
    reduced = to_gray(large.images, 48).astype(float)
    for one, other in zip(small.images.astype(float), reduced, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.85


def test_colours_vary_with_the_face_and_not_with_its_class():
    faces = synthetic_faces(200, seed=4, label_set=numbered(2), crop=CropSpec(24, 3))
    means = faces.images.mean((1, 2))
    tones = means / means.sum(1, keepdims=True)
    assert tones.std(0).min() > 0.02
    apart = tones[faces.labels == 0].mean(0) - tones[faces.labels == 1].mean(0)
    assert np.abs(apart).max() < 0.02


def test_other_classes_are_learned_from_forty_faces_each():
    labels = LabelSet(("negative", "positive", "odd"))
    fitted = synthetic_faces(120, seed=1, label_set=labels)
    others = synthetic_faces(300, seed=2, label_set=labels)
    histogram = cv2.HOGDescriptor((48, 48), (16, 16), (8, 8), (8, 8), 9)
    seen, unseen = (
        np.stack([histogram.compute(image) for image in faces.images]) for faces in (fitted, others)
    )
    classifier = LogisticRegression(C=10, max_iter=1000).fit(seen, fitted.labels)
    assert classifier.score(unseen, others.labels) >= 0.9


@pytest.mark.parametrize("layout", ["folders", "parquet"])
def test_colour_and_labels_come_back_from_files(tmp_path, layout):
    crop = CropSpec(64, 3)
    faces = synthetic_faces(30, label_set=numbered(3), crop=crop)
    write_dataset(faces, tmp_path / "faces", layout)
    read = load_dataset(tmp_path / "faces", labels=faces.names, size_px=64, channels=3)
    assert read.fingerprint == faces.fingerprint


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_network_learns_them_and_a_linear_classifier_hardly(tmp_path):
    """Else the demo would show nothing, and tests of training would prove nothing."""
    dataset = synthetic_faces(2400, seed=5)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=1000))
    linear.fit(dataset.train.images.reshape(-1, 48 * 48), dataset.train.labels)
    flat = dataset.val.images.reshape(-1, 48 * 48)
    linear_accuracy = linear.score(flat, dataset.val.labels)
    write_dataset(dataset, tmp_path / "faces.parquet", "parquet")
    settings = ["train.epochs=8", "train.batch_size=32", "train.optimizer=adam", "train.lr=0.003",
                "train.ema_decay=0.98"]  # fmt: skip
    run = train("quick", tmp_path / "faces.parquet", tmp_path / "run", overrides=settings)
    network = Evaluation.load(run.evaluation_path("val"))
    assert network.accuracy.low > linear_accuracy + 0.1
    assert network.accuracy.value > 0.6
