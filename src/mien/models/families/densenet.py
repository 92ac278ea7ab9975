"""DenseNet169, named and shaped so that the published ImageNet weights load."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Final, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

from mien.errors import RecipeError
from mien.images.crop import MAX_SIZE_PX
from mien.io.download import root_cause
from mien.io.private import without_telemetry
from mien.io.quiet import quiet_logger
from mien.models.base import Network, Task
from mien.models.layers import LEAST_CAM_CELLS, dense_layers, initialize, input_channels
from mien.recipes.families import FAMILIES
from mien.recipes.sections import ModelSection

_STEM: Final = 64
_GROWTH: Final = 32  # channels that a layer adds
_BOTTLENECK: Final = 4  # times the growth, inside a layer
_LAYERS: Final = (6, 12, 32, 32)  # of each block; Huang et al., 2017, table 1, DenseNet-169


_REPOSITORY: Final = "timm/densenet169.tv_in1k"
_FILE: Final = "model.safetensors"


class DenseNetModel(ModelSection):
    """DenseNet169 with dense layers on top; its published weights are named ``imagenet``."""

    family: Literal["densenet"] = "densenet"

    @model_validator(mode="after")
    def _published_weights_take_rgb(self) -> Self:
        if self.weights != "none" and self.normalization != "imagenet":
            raise ValueError(
                "published weights need RGB input normalized as for ImageNet; set "
                "model.normalization to "
                "imagenet, or model.weights to none"
            )
        return self


@FAMILIES.register("densenet")
class DenseNet(Network):
    """DenseNet169's features, averaged, and dense layers on top (see `Network` for shapes).

    The keys of ``features`` in the state_dict are torchvision's and timm's.

    Source: Huang et al., Densely Connected Convolutional Networks, 2017.
    """

    section = DenseNetModel
    weights_layout = _REPOSITORY
    sizes_px = (32, MAX_SIZE_PX)  # halved five times

    def __init__(self, model: DenseNetModel, task: Task) -> None:
        super().__init__(task)
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(input_channels(model, task), _STEM, 7, stride=2, padding=3, bias=False),
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
        self.num_features = width
        self.head = nn.Sequential(*dense_layers(width, model, task))
        for part in self.features.modules():  # as in torchvision
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
        initialize(self.head, model)

    @property
    def cam_layer(self) -> nn.Module:
        """The deepest rectified map between two blocks that has 5x5 cells or more."""
        halvings = {number: number + 1 for number in range(1, len(_LAYERS))}  # of each transition
        located = [
            number
            for number, count in halvings.items()
            if self.task.size_px >> count >= LEAST_CAM_CELLS
        ]
        return self.features.get_submodule(f"transition{max(located)}.relu")

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the rectified and averaged last map (see `Network`)."""
        return F.relu(self.features(images)).mean(dim=(2, 3))

    @classmethod
    def published_names(cls) -> tuple[str, ...]:
        """Return the name of the weights that were trained on ImageNet."""
        return ("imagenet",)

    @classmethod
    def published_weights(cls, name: str) -> Path | None:
        """Return the ImageNet weights, downloaded once into Hugging Face's cache (``HF_HOME``)."""
        return _fetch() if name == "imagenet" else None


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


def _fetch() -> Path:
    with without_telemetry():
        from huggingface_hub import hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(_REPOSITORY, _FILE)
    if isinstance(cached, str):
        return Path(cached)
    try:
        with quiet_logger("huggingface_hub"):  # which prints a line for every attempt
            return Path(hf_hub_download(_REPOSITORY, _FILE, etag_timeout=10))
    except Exception as error:  # errors of the hub, the network and the disk share no base
        raise RecipeError(
            f"the ImageNet weights of {_REPOSITORY} cannot be downloaded ({root_cause(error)}); "
            f"download {_FILE} from https://huggingface.co/{_REPOSITORY} on another machine and "
            "--set model.weights=PATH, or train without: --set model.weights=none"
        ) from None
