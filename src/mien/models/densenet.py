"""DenseNet169, named and shaped so that the published ImageNet weights load."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.models.layers import dense_layers, initialize, input_channels
from mien.recipes.sections import DenseNetModel

_STEM: Final = 64
_GROWTH: Final = 32  # channels that a layer adds
_BOTTLENECK: Final = 4  # times the growth, inside a layer
_LAYERS: Final = (6, 12, 32, 32)  # of each block; Huang et al., 2017, table 1, DenseNet-169


class DenseNet(nn.Module):
    """DenseNet169's features, averaged, and dense layers on top.

    The keys of ``features`` in the state_dict are torchvision's and timm's.

    Shape: (batch, 3, 48, 48) -> logits (batch, 7).
    Source: Huang et al., Densely Connected Convolutional Networks, 2017.
    """

    def __init__(self, model: DenseNetModel) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(input_channels(model), _STEM, 7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(_STEM),
            relu0=nn.ReLU(),
            pool0=nn.MaxPool2d(3, stride=2, padding=1),
        )
        width = _STEM
        for block, count in enumerate(_LAYERS, start=1):
            if block > 1:
                width //= 2
                parts[f"transition{block - 1}"] = _transition(2 * width, width)
            layers = [_DenseLayer(width + index * _GROWTH) for index in range(count)]
            parts[f"denseblock{block}"] = nn.Sequential(
                OrderedDict((f"denselayer{i}", layer) for i, layer in enumerate(layers, start=1))
            )
            width += count * _GROWTH
        parts["norm5"] = nn.BatchNorm2d(width)
        self.features = nn.Sequential(parts)
        self.head = nn.Sequential(*dense_layers(width, model))
        for part in self.features.modules():  # as torchvision's
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
        initialize(self.head, model)

    @property
    def backbone(self) -> nn.Module:
        """What is frozen in the first phase of a two-phase training."""
        return self.features

    @property
    def cam_layer(self) -> nn.Module:
        """The deepest rectified map of 5x5 cells or more: what the third block takes has 3x3."""
        return self.features.get_submodule("transition2.relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (see the class)."""
        features = F.relu(self.features(images))
        logits: Tensor = self.head(features.mean(dim=(2, 3)))
        return logits


class _DenseLayer(nn.Module):
    """BN → ReLU → 1×1 → BN → ReLU → 3×3; its output is joined to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = _BOTTLENECK * _GROWTH
        self.norm1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, inner, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, _GROWTH, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        bottleneck = self.conv1(F.relu(self.norm1(features)))
        return torch.cat([features, self.conv2(F.relu(self.norm2(bottleneck)))], dim=1)


def _transition(width: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(width),
            relu=nn.ReLU(),
            conv=nn.Conv2d(width, channels, 1, bias=False),
            pool=nn.AvgPool2d(2),
        )
    )
