from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.data import FaceDataset
from mien.errors import DataError


def dataset_of(count: int, **arrays) -> FaceDataset:
    return FaceDataset(
        **{
            "images": np.zeros((count, 48, 48), np.uint8),
            "labels": np.zeros(count, np.int64),
            "splits": np.full(count, "train"),
            "ids": np.array([f"face {number}" for number in range(count)]),
            **arrays,
        }
    )


def test_rows_count_from_one_unless_given():
    assert dataset_of(3).rows.tolist() == [1, 2, 3]
    assert dataset_of(3).rows.dtype == np.int64
    assert dataset_of(3, rows=np.array([7, 1, 4])).rows.tolist() == [7, 1, 4]
    assert dataset_of(0).rows.tolist() == []


def test_rows_stay_with_their_images():
    dataset = dataset_of(4, splits=np.array(["test", "train", "test", "val"]))
    assert dataset.test.rows.tolist() == [1, 3]
    assert dataset.take(np.array([3, 0])).rows.tolist() == [4, 1]
    assert replace(dataset, labels=np.ones(4, np.int64)).rows.tolist() == [1, 2, 3, 4]


def test_no_images_can_be_taken(faces):
    assert len(faces.take(np.array([], np.intp))) == 0


def test_rows_do_not_change_the_fingerprint():
    assert dataset_of(3).fingerprint == dataset_of(3, rows=np.array([7, 1, 4])).fingerprint


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"images": np.zeros((2, 48, 47), np.uint8)}, r"images: uint8 \(2, 48, 47\), expected"),
        ({"images": np.zeros((2, 48, 48))}, "images: float64"),
        ({"labels": np.array([0, 7])}, "labels: expected 0 to 6"),
        ({"labels": np.array([0])}, r"labels: int64 \(1,\), expected int64 \(2,\)"),
        ({"rows": np.array([1, 2, 3])}, r"rows: int64 \(3,\), expected int64 \(2,\)"),
        ({"rows": np.array([1.0, 2.0])}, "rows: float64"),
        ({"ids": np.array(["a"])}, "splits and ids: expected 2 of each"),
        ({"splits": np.array(["train", "valid"])}, r"splits: \['valid'\], expected train, val"),
        ({"votes": np.zeros((2, 9), np.int8)}, r"votes: int8 \(2, 9\), expected int8 \(2, 10\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, expected):
    with pytest.raises(DataError, match=expected):
        dataset_of(2, **arrays)
