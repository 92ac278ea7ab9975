"""Keep images of the train split back from fitting, for calibration.

A network is more confident on images that it was fitted on than on others, so its confidence has to
be calibrated on other images, which may not have duplicates among the fitted ones.
"""

from __future__ import annotations

import numpy as np

from mien.data import FaceDataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.split import assign_splits
from mien.recipes.sections import TrainSection


def split_calibration(
    dataset: FaceDataset, train: TrainSection
) -> tuple[FaceDataset, FaceDataset | None]:
    """Return the images of the train split to fit on, and those to calibrate on.

    Duplicates stay together, and classes keep their shares.

    Args:
        dataset: data set with its splits.
        train: [train] section of the recipe, with ``calibration_share`` and ``seed``; with a share
            of 0, there are no calibration images (None).
    """
    images = dataset.train
    if not train.calibration_share:
        return images, None
    splits, _ = assign_splits(
        images.splits,
        images.labels,
        validation_share=train.calibration_share,
        groups=find_duplicates(images.images).groups,
        seed=train.seed,
    )
    (fitted,) = np.nonzero(splits == "train")
    (kept,) = np.nonzero(splits == "val")
    return images.take(fitted), images.take(kept)
