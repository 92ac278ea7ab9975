"""Stacked convolutions: (conv → BN → ReLU) × n → max-pool a stage, then dense layers."""

from __future__ import annotations

from torch import nn

from mien.images.crop import SIZE_PX
from mien.models.layers import dense_layers, initialize, input_channels, last_located
from mien.recipes.sections import StackedModel


class Stacked(nn.Sequential):
    """Convolution stages and dense layers, one after the other."""

    @property
    def cam_layer(self) -> nn.Module:
        """The last rectified map that still has 5x5 cells or more."""
        return last_located(self, nn.ReLU)


def build_stacked(model: StackedModel) -> Stacked:
    """Build a stacked network.

    Shape: (batch, 1, 48, 48), or 3 channels of RGB -> logits (batch, 7).
    """
    layers: list[nn.Module] = []
    width = input_channels(model)
    for channels in model.stage_channels:
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
        width *= (SIZE_PX // 2 ** len(model.stage_channels)) ** 2
    layers += dense_layers(width, model)

    network = Stacked(*layers)
    initialize(network, model)
    return network


def _conv(width: int, channels: int, model: StackedModel) -> list[nn.Module]:
    # A bias before batch normalisation would be subtracted again.
    conv = nn.Conv2d(width, channels, model.kernel_px, padding="same", bias=not model.batch_norm)
    return [conv, nn.BatchNorm2d(channels)] if model.batch_norm else [conv]
