"""Inception blocks: 1×1, 3×3, double 3×3 and pooled branches side by side, then joined."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from mien.models.base import Network, Task
from mien.models.layers import dense_layers, initialize, input_channels, last_located
from mien.recipes.families import FAMILIES
from mien.recipes.sections import ModelSection, Positive

Branched = Annotated[int, Field(ge=8, le=100_000)]  # the narrowest branch has an eighth of it


class InceptionModel(ModelSection):
    """A convolution stem, then stages of inception blocks, each but the last max-pooled."""

    family: Literal["inception"] = "inception"
    stem: Positive = 64
    """Number of channels of the first convolution."""
    channels: Annotated[tuple[Branched, ...], Field(min_length=1, max_length=4)] = (128, 256, 384)
    """Number of channels of each stage."""
    blocks_per_stage: Positive = 1
    """Number of inception blocks in each stage."""


class InceptionBlock(nn.Module):
    """Four branches that process the same features with kernels of different sizes.

    A quarter of the channels is 1×1, a half 3×3 and an eighth each two 3×3 (5×5 in effect) and
    max-pooling; 1×1 convolutions in front halve the cost of the wider ones.

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


@FAMILIES.register("inception")
class Inception(Network):
    """A stem, inception blocks, global average pooling, dense layers (see `Network` for shapes)."""

    section = InceptionModel

    def __init__(self, model: InceptionModel, task: Task) -> None:
        super().__init__(task)
        # Halved at once: a convolution on every pixel would cost more than all other layers.
        stem = _conv(input_channels(model, task), model.stem, 3)
        layers: list[nn.Module] = [stem, nn.MaxPool2d(2)]
        width = model.stem
        for stage, channels in enumerate(model.channels):
            layers += [nn.MaxPool2d(2)] if stage else []
            for _ in range(model.blocks_per_stage):
                layers.append(InceptionBlock(width, channels))
                width = channels
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.num_features = width
        self.head = nn.Sequential(*dense_layers(width, model, task))
        initialize(self, model)

    @property
    def cam_layer(self) -> nn.Module:
        """The last block whose map still has 5x5 cells or more."""
        return last_located(self.features, InceptionBlock, self.task.size_px)


def _conv(width: int, channels: int, kernel_px: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, channels, kernel_px, padding="same", bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )
