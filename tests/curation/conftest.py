"""A data set with every defect planted, and one with none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import distinct_faces

from mien.curation import Audit, Finding
from mien.data import FaceDataset


def finding(audit: Audit, check: str) -> Finding:
    """Return the one finding of a check."""
    (found,) = [one for one in audit.findings if one.check == check]
    return found


@pytest.fixture(scope="session")
def clean() -> FaceDataset:
    """Faces of which no two are duplicates."""
    return distinct_faces(420, seed=7)


@pytest.fixture(scope="session")
def planted(clean: FaceDataset) -> FaceDataset:
    """The same with: 3 identical and 2 mirrored across splits, 4 copies within train, 2 of them
    with other labels, a blank, a faint and a bordered image."""
    images, labels = clean.images.copy(), clean.labels.copy()
    (train,) = np.nonzero(clean.splits == "train")
    (val,) = np.nonzero(clean.splits == "val")
    images[val[:3]] = images[train[:3]]
    labels[val[:3]] = labels[train[:3]]
    images[val[3:5]] = images[train[3:5], :, ::-1]
    labels[val[3:5]] = labels[train[3:5]]
    images[train[10:14]] = images[train[20:24]]
    labels[train[10:12]] = labels[train[20:22]]
    labels[train[12:14]] = (labels[train[22:24]] + 1) % 7
    images[train[30]] = 99
    images[train[31]] = 99
    images[train[31], ::2] = 105
    images[train[32], :6] = 0
    return replace(clean, images=images, labels=labels)
