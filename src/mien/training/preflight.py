"""Preparation and preflight checks: load the images and teachers of a training, and check it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mien.data import FaceDataset
from mien.data.votes import vote_columns
from mien.errors import DataError, RecipeError
from mien.evaluation.calibration import refuse_too_few
from mien.models import Classifier
from mien.recipes import Recipe
from mien.training.batches import Batches
from mien.training.calibration_split import keeps_back, split_calibration
from mien.training.distill import Teacher, Teachers, check_teachers
from mien.training.listener import TrainingListener
from mien.training.module import Trainable, votes_share
from mien.training.processes import Place


@dataclass(frozen=True)
class Prepared:
    """The images and teachers of a training.

    Args:
        dataset: whole data set, with its splits.
        fitted: images that the network is fitted on.
        calibration: images of the train split that are kept back for calibration; None if the
            recipe keeps none back.
        teachers: frozen teacher ensemble; None without distillation.
    """

    dataset: FaceDataset
    fitted: FaceDataset
    calibration: FaceDataset | None
    teachers: Teachers | None


def prepare(
    recipe: Recipe,
    dataset: FaceDataset,
    teachers: Sequence[Teacher],
    listener: TrainingListener,
) -> Prepared:
    """Split off the calibration images and check the teachers.

    Args:
        recipe: recipe of the training.
        dataset: data set of the training, with its splits.
        teachers: teachers that the recipe names.
        listener: progress listener; the search for duplicates may take minutes.

    Raises:
        DataError: if a split is empty, or there are too few images.
        RecipeError: if a teacher was trained on another data set.
    """
    for split in ("train", "val"):
        dataset.split(split)  # raises a clear error if it is empty
    if len(dataset.train) < 2:  # batch normalization needs two
        raise DataError(f"{dataset.name}: 1 image to train on, expected at least hundreds")
    if len(present := np.unique(dataset.train.labels)) < 2:
        raise DataError(
            f"{dataset.name}: all images of train show {dataset.names[int(present[0])]}, expected "
            "two classes or more to tell apart"
        )
    check_teachers(teachers, dataset)
    if keeps_back(len(dataset.train), recipe.train):
        listener.working("Searching for duplicates of the images that are kept for calibration")
    elif recipe.train.calibration_share:
        gate = " and without a face gate" if recipe.train.face_gate else ""
        listener.noticed(
            f"too few images to keep some back: the network is trained without calibration{gate}, "
            "so its probabilities are less exact, and no reading is called uncertain"
        )
    fitted, calibration = split_calibration(dataset, recipe.train)
    if calibration is not None:
        refuse_too_few(len(calibration))
    return Prepared(
        dataset=dataset,
        fitted=fitted,
        calibration=calibration,
        teachers=Teachers([one.classifier for one in teachers], recipe.distill)
        if teachers
        else None,
    )


def preflight(recipe: Recipe, prepared: Prepared, untrained: Classifier) -> None:
    """Take one training step on two images, so that errors appear before a run is made.

    Args:
        recipe: recipe of the training.
        prepared: images and teachers of the training.
        untrained: the recipe's network, whose weights and statistics the step changes.

    Raises:
        RecipeError: if parts of the recipe do not fit together.
    """
    labels = prepared.dataset.label_set
    wanted = (votes_share(recipe), recipe.train.votes_in_answer)
    if any(wanted) and prepared.fitted.has_votes and vote_columns(labels) is None:
        raise RecipeError(
            f"data.targets, train.votes_in_target and train.votes_in_answer need FER+ votes for "
            f"every label, but these are {', '.join(labels.names)}; leave them out"
        )
    if recipe.data.targets == "votes" and not prepared.fitted.has_votes:
        raise RecipeError(
            f"data.targets = votes: {prepared.dataset.name} has no FER+ votes to learn from; set "
            "data.targets to labels"
        )
    if recipe.train.votes_in_answer and recipe.model.dense:
        raise RecipeError(
            "train.votes_in_answer: the labels and the votes have to be read from the same "
            "features, but model.dense puts layers between; set model.dense=[] or votes_in_answer=0"
        )
    module = Trainable(untrained, recipe, teachers=prepared.teachers)
    (batch,) = Batches(prepared.dataset.train.take(np.arange(2)), 2, torch.device("cpu"))
    try:
        with torch.random.fork_rng(devices=[]):
            module.training_step(batch, 0)
    except RuntimeError as error:  # of layers whose sizes do not fit
        if recipe.augment.crop_px is None:
            raise
        raise RecipeError(
            f"augment.crop_px = {recipe.augment.crop_px}: this network reads "
            f"{recipe.data.size_px} px only, because it does not end in average pooling; leave "
            "crop_px out"
        ) from error


def refuse_uneven(recipe: Recipe, place: Place, device: str) -> None:
    """Raise a RecipeError if the processes could not train this recipe together."""
    batch = recipe.train.batch_size
    if batch % place.size or batch < 2 * place.size:  # batch normalization needs two
        raise RecipeError(
            f"train.batch_size = {batch}: cannot be divided among {place.size} processes, expected "
            f"a multiple of {place.size} with two images or more for each: --set "
            f"train.batch_size={place.size * max(2, batch // place.size)}"
        )
    if recipe.train.sync_batch_norm and place.size > 1 and device == "cpu":
        raise RecipeError(
            "train.sync_batch_norm needs GPUs; train without: --set train.sync_batch_norm=false"
        )
