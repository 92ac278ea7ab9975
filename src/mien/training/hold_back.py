"""Images of the train split that are kept back from fitting, for calibration.

A network is surer of the images that it has fitted than of any others, so its confidence has to be
set on images that it has not; and those may not have twins among the fitted ones.
"""

from __future__ import annotations

import numpy as np

from mien.data import FaceDataset
from mien.data.split import assign_splits
from mien.data.twins import find_twins
from mien.recipes.sections import TrainSection


def hold_back(dataset: FaceDataset, train: TrainSection) -> tuple[FaceDataset, FaceDataset | None]:
    """Return the images to fit and those to calibrate by, of a data set's train split.

    Twins stay together, and classes keep their shares.

    Args:
        dataset: with its splits.
        train: its ``calibration_share`` and ``seed`` decide which; the second is None for 0.
    """
    images = dataset.train
    if not train.calibration_share:
        return images, None
    splits, _ = assign_splits(
        images.splits,
        images.labels,
        hold_out=train.calibration_share,
        groups=find_twins(images.images).groups,
        seed=train.seed,
    )
    (fitted,) = np.nonzero(splits == "train")
    (kept,) = np.nonzero(splits == "val")
    return images.take(fitted), images.take(kept)
