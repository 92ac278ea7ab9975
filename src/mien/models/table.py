"""The families of networks, by the name that a recipe gives as ``model.family``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from mien.images.crop import SIZE_PX
from mien.models.classifier import Classifier
from mien.models.densenet import DenseNet
from mien.models.inception import build_inception
from mien.models.mien_net import MienNet
from mien.models.stacked import build_stacked
from mien.recipes.sections import ModelSection

FAMILIES: Final[dict[str, Callable[[Any], nn.Module]]] = {
    "stacked": build_stacked,
    "inception": build_inception,
    "densenet": DenseNet,
    "mien_net": MienNet,
}


def build_model(model: ModelSection, *, seed: int = 0) -> Classifier:
    """Build the network that a recipe's [model] describes, its weights drawn from ``seed``.

    Published weights are another step, `mien.models.weights.load_weights`: a finished run that is
    opened again needs none.

    Shape: images float (batch, 1, 48, 48) in [0, 1] -> logits (batch, 7).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FAMILIES[model.family](model)
        return Classifier(network, model.normalization, getattr(model, "input_px", SIZE_PX))
