"""Inception blocks: 1×1, 3×3, double 3×3 and pooled branches side by side, then joined."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.models.layers import dense_layers, initialize, input_channels, last_located
from mien.recipes.sections import InceptionModel


class InceptionBlock(nn.Module):
    """Four branches that look at the same features through windows of different size.

    A quarter of the channels is 1×1, a half 3×3 and an eighth each two 3×3 (5×5 in effect) and
    max-pooling; 1×1 convolutions in front halve what the wider ones have to do.

    Shape: (batch, width, height, width_px) -> (batch, channels, height, width_px).
    Source: Szegedy et al., Rethinking the Inception Architecture, 2016, figure 5; proportions of
    Going Deeper with Convolutions, 2015, table 1, rounded.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        half, eighth = channels // 2, channels // 8
        single = channels - half - 2 * eighth
        self.branches = nn.ModuleList(
            [
                _conv(width, single, 1),
                nn.Sequential(_conv(width, half // 2, 1), _conv(half // 2, half, 3)),
                nn.Sequential(
                    _conv(width, eighth, 1), _conv(eighth, eighth, 3), _conv(eighth, eighth, 3)
                ),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _conv(width, eighth, 1)),
            ]
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the branches' features, joined (see the class)."""
        return torch.cat([branch(features) for branch in self.branches], dim=1)


class Inception(nn.Sequential):
    """A stem, inception blocks and dense layers, one after the other."""

    @property
    def cam_layer(self) -> nn.Module:
        """The last block whose map still has 5x5 cells or more."""
        return last_located(self, InceptionBlock)


def build_inception(model: InceptionModel) -> Inception:
    """Build an inception network: stem, stages, global average pooling, dense layers.

    Shape: (batch, 1, 48, 48), or 3 channels of RGB -> logits (batch, 7).
    """
    # 48 -> 24 px; a convolution on every pixel of 48×48 would cost more than all that follows
    layers: list[nn.Module] = [_conv(input_channels(model), model.stem, 3), nn.MaxPool2d(2)]
    width = model.stem
    for stage, channels in enumerate(model.channels):
        layers += [nn.MaxPool2d(2)] if stage else []
        for _ in range(model.blocks_per_stage):
            layers.append(InceptionBlock(width, channels))
            width = channels
    network = Inception(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *dense_layers(width, model))
    initialize(network, model)
    return network


def _conv(width: int, channels: int, kernel_px: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, channels, kernel_px, padding="same", bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )
