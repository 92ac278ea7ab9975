"""Stacked convolutions: (conv → BN → ReLU) × n → max-pool a stage, then dense layers."""

from __future__ import annotations

from torch import nn

from mien.data.pixels import SIZE_PX
from mien.emotions import NUM_CLASSES
from mien.recipes.recipe import StackedModel


def build_stacked(model: StackedModel) -> nn.Sequential:
    """Build a stacked network.

    Shape: (batch, 1, 48, 48) -> logits (batch, 7).
    """
    layers: list[nn.Module] = []
    width = 1
    for channels in model.channels:
        for remaining in reversed(range(model.convs_per_stage)):
            layers += _conv(width, channels, model)
            # ReLU and max-pooling commute, and after pooling ReLU has a quarter of the work.
            layers += [nn.ReLU()] if remaining else [nn.MaxPool2d(2), nn.ReLU()]
            width = channels
        if model.conv_dropout:
            layers.append(nn.Dropout(model.conv_dropout))
    if model.head == "average":
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    else:
        layers.append(nn.Flatten())
        width *= (SIZE_PX // 2 ** len(model.channels)) ** 2
    for units in model.dense:
        layers.append(nn.Linear(width, units, bias=not model.dense_batch_norm))
        if model.dense_batch_norm:
            layers.append(nn.BatchNorm1d(units))
        layers += [nn.ReLU(), nn.Dropout(model.dropout)]
        width = units
    if not model.dense:
        layers.append(nn.Dropout(model.dropout))
    layers.append(nn.Linear(width, NUM_CLASSES))

    network = nn.Sequential(*layers)
    initialize = _initialize_keras if model.initialization == "keras" else _initialize_kaiming
    network.apply(initialize)
    return network


def _conv(width: int, channels: int, model: StackedModel) -> list[nn.Module]:
    # A bias before batch normalisation would be subtracted again.
    conv = nn.Conv2d(width, channels, model.kernel_px, padding="same", bias=not model.batch_norm)
    return [conv, nn.BatchNorm2d(channels)] if model.batch_norm else [conv]


def _initialize_kaiming(module: nn.Module) -> None:
    """He et al., Delving Deep into Rectifiers, 2015: fan-out for convolutions, as ResNets do."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="linear")
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _initialize_keras(module: nn.Module) -> None:
    """Keras's defaults: Glorot uniform kernels, zero biases, BN momentum 0.99 and epsilon 1e-3."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        module.momentum = 0.01  # Keras keeps 0.99 of the old mean; torch's momentum is 1 - 0.99
        module.eps = 1e-3
