from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.errors import DataError
from mien.evaluation import Evaluation
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
