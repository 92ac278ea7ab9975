"""mien's own network: plain 3×3 convolutions with residual pairs, made for 48×48 faces.

One convolution at full size and then pooled: on a CPU the layers at 48×48 are bound by memory, and
cost more time than arithmetic.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mien.models.layers import dense_layers, initialize, input_channels
from mien.recipes.sections import MienNetModel


class MienNet(nn.Module):
    """A stem, then stages of one convolution and residual pairs, each but the last max-pooled.

    Average pooling at the end takes any size, but what is read should end in a map of the size that
    was trained on: of 2×2 cells each touches the padding, of 3×3 the middle one does not.

    Shape: (batch, 1, 48, 48), or 3 channels of RGB -> logits (batch, 7).
    Source: He et al., Deep Residual Learning for Image Recognition, 2015; deviations: stages widen
    by a convolution of their own, and max-pooling takes the place of strides.
    """

    def __init__(self, model: MienNetModel) -> None:
        super().__init__()
        width = model.stem
        layers: list[nn.Module] = [*_conv(input_channels(model), width), nn.MaxPool2d(2), nn.ReLU()]
        for stage, (channels, blocks) in enumerate(zip(model.channels, model.blocks, strict=True)):
            if stage:
                layers.append(nn.MaxPool2d(2))
            layers += [*_conv(width, channels), nn.ReLU()]
            layers += [_ResidualPair(channels) for _ in range(blocks)]
            width = channels
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.num_features = width
        self.head = nn.Sequential(*dense_layers(width, model))
        initialize(self, model)

    @property
    def backbone(self) -> nn.Module:
        """What is frozen in the first phase of a two-phase training."""
        return self.features

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (see the class)."""
        logits: Tensor = self.head(self.features(images))
        return logits


class _ResidualPair(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_conv(channels, channels), nn.ReLU(), *_conv(channels, channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(features + self.layers(features))


def _conv(width: int, channels: int) -> list[nn.Module]:
    # A bias before batch normalisation would be subtracted again.
    return [nn.Conv2d(width, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)]
