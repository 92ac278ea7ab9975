"""The families of networks, by the name that a recipe gives as ``model.family``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import nn

from mien.models.classifier import Classifier
from mien.models.stacked import build_stacked
from mien.recipes.recipe import StackedModel

FAMILIES: Final[dict[str, Callable[[StackedModel], nn.Module]]] = {"stacked": build_stacked}


def build_model(model: StackedModel, *, seed: int = 0) -> Classifier:
    """Build the network that a recipe's [model] describes, its weights drawn from ``seed``.

    Shape: images float (batch, 1, 48, 48) in [0, 1] -> logits (batch, 7).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(FAMILIES[model.family](model), model.normalization)
