"""What would go wrong in a training, told before a run is made and hours are spent on it."""

from __future__ import annotations

import numpy as np
import torch

from mien.data import FaceDataset
from mien.errors import DataError, RecipeError
from mien.evaluation.calibration import refuse_too_few
from mien.images.crop import SIZE_PX
from mien.models import Classifier
from mien.recipes import Recipe
from mien.training.batches import Batches
from mien.training.calibration_share import split_calibration
from mien.training.distill import load_teachers
from mien.training.module import Trainable, backbone_of


def preflight(recipe: Recipe, dataset: FaceDataset, untrained: Classifier) -> None:
    """Go through one step on two images, and raise what a training would raise later.

    Args:
        recipe: of the training.
        dataset: of the training, with its splits.
        untrained: the recipe's network, which is spoilt by this.

    Raises:
        MienError: for data that is too small, teachers that may not teach, parts of a recipe that
            do not fit together.
    """
    for split in ("train", "val"):
        dataset.split(split)  # says clearly when it is empty
    if len(dataset.train) < 2:  # batch normalisation needs two
        raise DataError(f"{dataset.name}: 1 image to train on, expected hundreds at least")
    _, kept_back = split_calibration(dataset, recipe.train)
    if kept_back is not None:
        refuse_too_few(len(kept_back))
    if recipe.train.frozen_epochs:
        backbone_of(untrained)
    module = Trainable(untrained, recipe, teachers=load_teachers(recipe, dataset))
    (batch,) = Batches(dataset.train.take(np.arange(2)), 2, torch.device("cpu"))
    try:
        with torch.random.fork_rng(devices=[]):
            module.training_step(batch, 0)
    except RuntimeError as error:  # of layers whose sizes do not meet
        if recipe.augment.crop_px == SIZE_PX:
            raise
        raise RecipeError(
            f"augment.crop_px = {recipe.augment.crop_px}: this network takes {SIZE_PX} px alone, "
            "since it does not end in average pooling; leave crop_px out"
        ) from error
