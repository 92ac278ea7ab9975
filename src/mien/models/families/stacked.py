"""Stacked convolutions: (conv → BN → ReLU) × n → max-pool per stage, then dense layers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from mien.errors import RecipeError
from mien.models.base import Network, Task
from mien.models.layers import dense_layers, initialize, input_channels, last_located
from mien.recipes.families import FAMILIES
from mien.recipes.sections import Dropout, ModelSection, Positive


class StackedModel(ModelSection):
    """Convolution stages, each ended by max-pooling, and dense layers on top."""

    family: Literal["stacked"] = "stacked"
    channels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=5)] = (32, 64, 128)
    """Number of channels of each stage."""
    stages: Annotated[int, Field(ge=1, le=5)] | None = None
    """Number of stages: shortens ``channels``, or repeats the last number; by default one stage for
    each number in ``channels``."""
    convs_per_stage: Positive = 1
    """Number of convolutions in each stage."""
    kernel_px: Literal[1, 3, 5, 7] = 3
    """Side of the convolution kernels, in pixels."""
    batch_norm: bool = True
    """Whether each convolution is followed by batch normalization."""
    conv_dropout: Dropout = 0.0
    """Dropout probability after each stage."""
    head: Literal["flatten", "average"] = "flatten"
    """Conversion of the last map to features: flattened, or averaged over its cells."""

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """The channels of each stage."""
        stages = self.stages or len(self.channels)
        return (*self.channels, *[self.channels[-1]] * stages)[:stages]


@FAMILIES.register("stacked")
class Stacked(Network):
    """Convolution stages and dense layers, one after the other (see `Network` for shapes)."""

    section = StackedModel

    def __init__(self, model: StackedModel, task: Task) -> None:
        super().__init__(task)
        layers: list[nn.Module] = []
        width = input_channels(model, task)
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
            width *= (task.size_px // 2 ** len(model.stage_channels)) ** 2
        self.features = nn.Sequential(*layers)
        self.num_features = width
        self.head = nn.Sequential(*dense_layers(width, model, task))
        initialize(self, model)

    @classmethod
    def check(cls, section: ModelSection, task: Task) -> None:
        """Raise a RecipeError if the stages halve the crops of a task to nothing."""
        super().check(section, task)
        assert isinstance(section, StackedModel)
        stages = len(section.stage_channels)
        if task.size_px < 2**stages:
            raise RecipeError(
                f"data.size_px = {task.size_px}: {stages} stages, each of which halves the map, "
                f"need crops of {2**stages} px or more; set fewer model.channels or model.stages"
            )

    @property
    def cam_layer(self) -> nn.Module:
        """The last rectified map that still has 5x5 cells or more."""
        return last_located(self.features, nn.ReLU, self.task.size_px)


def _conv(width: int, channels: int, model: StackedModel) -> list[nn.Module]:
    # A bias before batch normalization would be subtracted again.
    conv = nn.Conv2d(width, channels, model.kernel_px, padding="same", bias=not model.batch_norm)
    return [conv, nn.BatchNorm2d(channels)] if model.batch_norm else [conv]
