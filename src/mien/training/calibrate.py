"""Calibration of a network's answer on the images that were kept back from its training."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.bundle.metadata import Calibration
from mien.data import FaceDataset
from mien.data.votes import vote_columns
from mien.evaluation.calibration import AnswerSettings, calibrate
from mien.models import Classifier, to_unit
from mien.models.weights import VOTES_BIAS, VOTES_WEIGHT
from mien.recipes import Recipe
from mien.types import Images

_BATCH: Final = 256


def calibrate_answer(
    classifier: Classifier,
    votes_head: dict[str, Tensor],
    recipe: Recipe,
    *,
    fitted: FaceDataset,
    kept_back: FaceDataset,
    mapped: bool = False,
    gate: npt.NDArray[np.float64] | None = None,
) -> Calibration:
    """Calibrate the answer of a network on images that it was not fitted on.

    Args:
        classifier: fitted network, in evaluation mode.
        votes_head: weights of the votes' layer; empty if there is none.
        recipe: recipe of the run, with the shares of votes and prior in the answer.
        fitted: images that the network was fitted on, whose class shares are the prior.
        kept_back: calibration images, which the network was not fitted on.
        mapped: whether the label layer is calibrated already, as in a weights file.
        gate: opening of the face gate for the calibration images, from 0 to 1. Shape: (N,).
    """
    features = _read_features(classifier, kept_back.images)
    votes_logits = None
    # Without votes the layer has learned nothing, whatever share the recipe gives it.
    share = recipe.train.votes_in_answer if fitted.has_votes else 0.0
    if share:
        votes = F.linear(features, votes_head[VOTES_WEIGHT], votes_head[VOTES_BIAS])
        votes_logits = votes[:, list(vote_columns(fitted.label_set) or ())].numpy()
    counts = np.array(list(fitted.class_counts().values()), float)
    settings = AnswerSettings(
        votes_share=share,
        prior_share=recipe.calibration.prior,
        # A class without images counts as the rarest one: otherwise its offset would be
        # infinite.
        log_prior=np.log(np.maximum(counts, counts[counts > 0].min()) / counts.sum()),
    )
    with torch.no_grad():
        logits = classifier.last_layer(features).numpy()
    return calibrate(
        logits,
        kept_back.labels,
        votes_logits=votes_logits,
        settings=settings,
        mapped=mapped,
        gate=gate,
        seed=recipe.train.seed,
    )


def _read_features(classifier: Classifier, images: Images) -> Tensor:
    """Return the input of the last layer. Shape: uint8 (N, …) -> (N, features)."""
    with torch.no_grad():
        batches = torch.split(torch.from_numpy(np.array(images)), _BATCH)
        return torch.cat([classifier.features(to_unit(batch)) for batch in batches])
