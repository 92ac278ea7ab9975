"""Images of the train split that are kept back from fitting, for calibration.

A network is surer of the images that it has fitted than of any others, so its confidence has to be
set on images that it has not; and those may not have duplicates among the fitted ones.
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
    """Return the images to fit and those to calibrate by, of a data set's train split.

    Duplicates stay together, and classes keep their shares.

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
        validation_share=train.calibration_share,
        groups=find_duplicates(images.images).groups,
        seed=train.seed,
    )
    (fitted,) = np.nonzero(splits == "train")
    (kept,) = np.nonzero(splits == "val")
    return images.take(fitted), images.take(kept)
