"""Keep images of the train split back from fitting, for calibration.

A network is more confident on images that it was fitted on than on others, so its confidence has to
be calibrated on other images, which may not have duplicates among the fitted ones.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mien.data import FaceDataset
from mien.data.duplicates.groups import find_duplicates
from mien.data.split import assign_splits
from mien.recipes.sections import TrainSection

_ENOUGH: Final = 100  # images; a calibration on fewer is worse than none


def keeps_back(images: int, train: TrainSection) -> bool:
    """Return whether some of the images of a train split are kept back for calibration.

    Args:
        images: number of images in the train split.
        train: [train] section of the recipe.
    """
    enough = images * train.calibration_share >= _ENOUGH or not train.calibration_optional
    return bool(train.calibration_share) and enough


def split_calibration(
    dataset: FaceDataset, train: TrainSection
) -> tuple[FaceDataset, FaceDataset | None]:
    """Return the images of the train split to fit on, and those to calibrate on.

    Duplicates stay together, and classes keep their shares.

    Args:
        dataset: data set with its splits.
        train: [train] section of the recipe, with ``calibration_share`` and ``seed``; with a share
            of 0, there are no calibration images (None), and with ``calibration_optional`` none if
            they would be too few.
    """
    images = dataset.train
    if not keeps_back(len(images), train):
        return images, None
    splits, _ = assign_splits(
        images.splits,
        images.labels,
        validation_share=train.calibration_share,
        groups=find_duplicates(images.images, exact_only=images.drawn).groups,
        seed=train.seed,
    )
    (fitted,) = np.nonzero(splits == "train")
    (kept,) = np.nonzero(splits == "val")
    return images.take(fitted), images.take(kept)
