"""mien's own network: plain 3×3 convolutions with residual pairs, made for 48×48 faces.

Few convolutions at full size, pooled soon: on a CPU the layers at 48×48 are bound by memory, and
cost more time than arithmetic.
"""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from mien.models.layers import LEAST_CAM_CELLS, dense_layers, initialize, input_channels
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
        pool = [nn.MaxPool2d(2)] if model.pooled_stem else []
        parts: dict[str, nn.Module] = {
            "stem": nn.Sequential(*_conv(input_channels(model), width), *pool, nn.ReLU())
        }
        for stage, (channels, blocks) in enumerate(zip(model.channels, model.blocks, strict=True)):
            if stage:
                parts[f"pool{stage}"] = nn.MaxPool2d(2)
            parts[f"widen{stage}"] = nn.Sequential(*_conv(width, channels), nn.ReLU())
            parts[f"pairs{stage}"] = nn.Sequential(
                *[_ResidualPair(channels) for _ in range(blocks)]
            )
            width = channels
        parts |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
        self.features = nn.Sequential(OrderedDict(parts))
        self.num_features = width
        self.head = nn.Sequential(*dense_layers(width, model))
        # Cells of a map of 2x2 are half the face each; the stage before it ends in 5x5 or 6x6.
        first = model.input_px // (2 if model.pooled_stem else 1)
        cells = [first // 2**stage for stage in range(len(model.channels))]
        located = max(stage for stage, side in enumerate(cells) if side >= LEAST_CAM_CELLS)
        self._cam_layer = f"pairs{located}"
        initialize(self, model)

    @property
    def backbone(self) -> nn.Module:
        """What is frozen in the first phase of a two-phase training."""
        return self.features

    @property
    def cam_layer(self) -> nn.Module:
        """The end of the last stage whose map still has 5x5 cells or more."""
        return self.features.get_submodule(self._cam_layer)

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
