"""Layers and functions that network families share."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Final

from torch import nn

from mien.models.base import Task
from mien.recipes.sections import ModelSection

# Along each side of a map, for it to tell eyes, nose and mouth apart: each of 2x2 or 3x3 cells
# covers a third of the face or more, which locates nothing.
LEAST_CAM_CELLS: Final = 5


def input_channels(model: ModelSection, task: Task) -> int:
    """Return the number of input channels of the first convolution."""
    return 3 if model.normalization == "imagenet" else task.channels


def dense_layers(width: int, model: ModelSection, task: Task) -> list[nn.Module]:
    """Return the layers from features to logits: (dense → BN → ReLU → dropout) × n → dense.

    Shape: (batch, width) -> logits (batch, classes).
    """
    layers: list[nn.Module] = []
    for units in model.dense:
        layers.append(nn.Linear(width, units, bias=not model.dense_batch_norm))
        if model.dense_batch_norm:
            layers.append(nn.BatchNorm1d(units))
        layers += [nn.ReLU(), nn.Dropout(model.dropout)]
        width = units
    if not model.dense:
        layers.append(nn.Dropout(model.dropout))
    return [*layers, nn.Linear(width, task.num_classes)]


def last_located(layers: nn.Module, kind: type[nn.Module], size_px: int) -> nn.Module:
    """Return the last layer of a kind whose map still has 5x5 cells or more, for explanations.

    Args:
        layers: sequence of layers in which each max-pooling halves the map.
        kind: class of the layer; if no such layer is found, the first layer is returned.
        size_px: side of the images that the first layer reads, in pixels.
    """
    cells, found = size_px, next(layers.children())
    for layer in layers.children():
        if isinstance(layer, nn.MaxPool2d):
            cells //= 2
        if isinstance(layer, nn.Flatten) or cells < LEAST_CAM_CELLS:
            break
        if isinstance(layer, kind):
            found = layer
    return found


class Foldable(nn.Module, ABC):
    """A module with parallel branches in training that folds into one layer for inference."""

    @abstractmethod
    def folded(self) -> nn.Module:
        """Return a single layer that computes the same in evaluation mode."""


def fold(network: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode, in which every Foldable is replaced by its folded layer."""
    folded = copy.deepcopy(network).eval()
    for name, part in list(folded.named_modules()):
        if isinstance(part, Foldable):
            folded.set_submodule(name, part.folded())
    return folded


def initialize(module: nn.Module, model: ModelSection) -> None:
    """Set a module's weights, and its batch normalization's constants, as the recipe says."""
    module.apply(_as_keras if model.initialization == "keras" else _kaiming)


def _kaiming(module: nn.Module) -> None:
    """Initialize as He et al., Delving Deep into Rectifiers, 2015; fan-out for convolutions."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="linear")
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _as_keras(module: nn.Module) -> None:
    """Initialize as Keras: Glorot uniform kernels, zero biases, BN momentum 0.99, epsilon 1e-3."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        module.momentum = 0.01  # Keras keeps 0.99 of the old mean; torch's momentum is 1 - 0.99
        module.eps = 1e-3
