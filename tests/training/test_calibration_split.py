from __future__ import annotations

import numpy as np
from tests.conftest import distinct_faces

from mien.data import FaceDataset
from mien.data.duplicates.groups import find_overlap
from mien.recipes.sections import TrainSection
from mien.training.calibration_split import split_calibration


def doubled(faces: FaceDataset) -> FaceDataset:
    """Every image twice, the second time mirrored."""
    return FaceDataset(
        images=np.concatenate([faces.images, faces.images[:, :, ::-1]]),
        labels=np.concatenate([faces.labels, faces.labels]),
        splits=np.concatenate([faces.splits, faces.splits]),
        ids=np.concatenate([faces.ids, np.char.add(faces.ids, " mirrored")]),
    )


def test_nothing_is_held_back_unless_asked_for(faces):
    fitted, kept = split_calibration(faces, TrainSection())
    assert kept is None
    assert len(fitted) == len(faces.train)


def test_what_is_held_back_is_of_train_and_has_no_duplicate_among_the_fitted():
    faces = doubled(distinct_faces(200, seed=3))
    fitted, kept = split_calibration(faces, TrainSection(calibration_share=0.2))
    assert len(fitted) + len(kept) == len(faces.train)
    assert len(kept) / len(faces.train) == np.clip(len(kept) / len(faces.train), 0.15, 0.25)
    assert set(kept.splits) == {"train"}
    assert not find_overlap(kept.images, fitted.images).any.any()
    assert not set(kept.ids) & set(fitted.ids)


def test_the_seed_decides(faces):
    def ids(seed):
        return split_calibration(faces, TrainSection(calibration_share=0.2, seed=seed))[
            1
        ].ids.tolist()

    assert ids(0) == ids(0)
    assert ids(0) != ids(1)
