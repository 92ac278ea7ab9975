"""mien's own network: plain 3×3 convolutions with residual pairs, made for small face crops.

Few convolutions at full size, pooled soon: on a CPU the first layers are limited by memory, and
take more time than their arithmetic suggests.
"""

from __future__ import annotations

from collections import OrderedDict
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from mien.errors import RecipeError
from mien.images.crop import MAX_SIZE_PX
from mien.models.base import Network, Task
from mien.models.layers import (
    LEAST_CAM_CELLS,
    Foldable,
    dense_layers,
    initialize,
    input_channels,
)
from mien.recipes.families import FAMILIES
from mien.recipes.sections import Dropout, ModelSection, Positive

_SHIPPED: Final = files("mien") / "weights"


class MienNetModel(ModelSection):
    """Plain 3×3 convolutions with residual pairs, for small face crops."""

    family: Literal["mien_net"] = "mien_net"
    normalization: Literal["unit", "standardize", "imagenet"] = "standardize"
    stem: Positive = 24
    """Number of channels of the first convolution."""
    pooled_stem: bool = True
    """Whether the map is halved before the first stage, for a quarter of the cost."""
    channels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=4)] = (48, 96, 192)
    """Number of channels of each stage."""
    blocks: Annotated[tuple[Annotated[int, Field(ge=0, le=100)], ...], Field(min_length=1)] = (
        1,
        1,
        1,
    )
    """Number of residual pairs in each stage."""
    dense: tuple[Positive, ...] = ()
    dropout: Dropout = 0.2
    input_px: Annotated[int, Field(ge=16, le=MAX_SIZE_PX)] | None = None
    """Side of the centre square that the network reads, in pixels; by default the whole crop."""
    squeeze: bool = False
    """Whether each residual pair weights its channels by squeeze-and-excitation."""
    branches: bool = False
    """Whether each 3×3 convolution has a parallel 1×1 branch and identity branch (RepVGG)."""
    mirrored: bool = False
    """Whether a face and its mirror image get the same answer, by kernels in mirrored pairs."""

    @model_validator(mode="after")
    def _mirrored_in_pairs(self) -> Self:
        if self.mirrored and (self.branches or self.squeeze):
            raise ValueError("mirrored = true goes with neither branches nor squeeze")
        odd = [width for width in (self.stem, *self.channels) if width % 2]
        if self.mirrored and odd:
            raise ValueError(
                f"mirrored = true needs even numbers of channels, not {odd[0]}: each kernel is "
                "accompanied by its mirror image"
            )
        return self

    @model_validator(mode="after")
    def _one_number_of_blocks_a_stage(self) -> Self:
        if len(self.blocks) != len(self.channels):
            raise ValueError(
                f"blocks has {len(self.blocks)} numbers and channels {len(self.channels)}; "
                "give one of each per stage"
            )
        return self


@FAMILIES.register("mien_net")
class MienNet(Network):
    """A stem, then stages of one convolution and residual pairs, each but the last max-pooled.

    Average pooling at the end takes maps of any size, but images should end in a map of the size
    that the network was trained on: in 2×2 cells each touches the padding, in 3×3 the middle one
    does not.

    With ``mirrored`` a face and its mirror image have the same features, up to rounding, at the
    cost of one network and with half of its parameters: in every map, the second half of the
    channels is what the first half would be in the mirror image, and the last maps are added.

    Source: He et al., Deep Residual Learning for Image Recognition, 2015; deviations: stages widen
    by a convolution of their own, and max-pooling takes the place of strides. Mirrored kernels:
    Cohen and Welling, Group Equivariant Convolutional Networks, 2016.
    """

    section = MienNetModel

    def __init__(self, model: MienNetModel, task: Task) -> None:
        super().__init__(task)
        self.input_px = model.input_px or task.size_px
        width = model.stem
        pool = [nn.MaxPool2d(2)] if model.pooled_stem else []
        stem = _conv(input_channels(model, task), width, model, lifts=True)
        parts: dict[str, nn.Module] = {"stem": nn.Sequential(*stem, *pool, nn.ReLU())}
        for stage, (channels, blocks) in enumerate(zip(model.channels, model.blocks, strict=True)):
            if stage:
                parts[f"pool{stage}"] = nn.MaxPool2d(2)
            parts[f"widen{stage}"] = nn.Sequential(*_conv(width, channels, model), nn.ReLU())
            parts[f"pairs{stage}"] = nn.Sequential(
                *[_ResidualPair(channels, model) for _ in range(blocks)]
            )
            width = channels
        parts |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
        if model.mirrored:
            parts["together"] = _AddHalves()
            width //= 2
        self.features = nn.Sequential(OrderedDict(parts))
        self.num_features = width
        self.head = nn.Sequential(*dense_layers(width, model, task))
        # Cells of a map of 2x2 are half the face each; the stage before it ends in 5x5 or 6x6.
        first = self.input_px // (2 if model.pooled_stem else 1)
        cells = [first // 2**stage for stage in range(len(model.channels))]
        located = max(stage for stage, side in enumerate(cells) if side >= LEAST_CAM_CELLS)
        self._cam_layer = f"pairs{located}"
        initialize(self, model)

    @classmethod
    def check(cls, section: ModelSection, task: Task) -> None:
        """Raise a RecipeError if the network would read more than the crops of a task."""
        super().check(section, task)
        assert isinstance(section, MienNetModel)
        if section.input_px and section.input_px > task.size_px:
            raise RecipeError(
                f"model.input_px = {section.input_px}: the crops have {task.size_px} px "
                "(data.size_px); leave input_px out to read all of them"
            )
        side = section.input_px or task.size_px
        halvings = len(section.channels) - 1 + section.pooled_stem
        if section.mirrored and side % 2**halvings:
            raise RecipeError(
                f"model.mirrored = true: the network reads {side} px and halves them {halvings} "
                f"times, which must leave no rest, or the mirror image is halved elsewhere; "
                f"set model.input_px to a multiple of {2**halvings}"
            )

    @property
    def cam_layer(self) -> nn.Module:
        """The end of the last stage whose map still has 5x5 cells or more."""
        return self.features.get_submodule(self._cam_layer)

    @classmethod
    def published_names(cls) -> tuple[str, ...]:
        """Return the names of the weights that come with mien."""
        found = [Path(str(file)) for file in _SHIPPED.iterdir()]
        return tuple(sorted(path.stem for path in found if path.suffix == ".safetensors"))

    @classmethod
    def published_weights(cls, name: str) -> Path | None:
        """Return the file of weights that come with mien, by their name."""
        return (
            Path(str(_SHIPPED / f"{name}.safetensors")) if name in cls.published_names() else None
        )


class _ResidualPair(nn.Module):
    def __init__(self, channels: int, model: MienNetModel) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_conv(channels, channels, model), nn.ReLU(), *_conv(channels, channels, model)
        )
        self.squeeze = _Squeeze(channels) if model.squeeze else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(features + self.squeeze(self.layers(features)))


class _Squeeze(nn.Module):
    """Squeeze-and-excitation: weights each channel by a function of the means of all channels.

    Source: Hu et al., Squeeze-and-Excitation Networks, 2018; reduction 8 instead of 16, since
    these networks are narrow.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(8, channels // 8)
        self.weigh = nn.Sequential(
            nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, channels, 1), nn.Sigmoid()
        )

    def forward(self, features: Tensor) -> Tensor:
        weighted: Tensor = features * self.weigh(features.mean((2, 3), keepdim=True))
        return weighted


class _Branches(Foldable):
    """The sum of a 3×3 and a 1×1 convolution and, at equal widths, the identity, each normalized.

    Source: Ding et al., RepVGG: Making VGG-style ConvNets Great Again, 2021.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.width, self.channels = width, channels
        self.parts = nn.ModuleList(
            [_normalized(width, channels, kernel_px=3), _normalized(width, channels, kernel_px=1)]
        )
        if width == channels:
            self.parts.append(nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        first, *others = (part(features) for part in self.parts)
        added: Tensor = sum(others, start=first)
        return added

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return one 3×3 convolution that equals all branches in evaluation mode."""
        folded = nn.Conv2d(self.width, self.channels, 3, padding=1, device="meta")
        kernel = torch.zeros(folded.weight.shape, dtype=torch.float64)
        bias = torch.zeros(self.channels, dtype=torch.float64)
        for part in self.parts:
            *convs, norm = list(part.children()) or [part]
            own = torch.eye(self.channels, dtype=torch.float64)[:, :, None, None]
            for conv in convs:  # the identity branch has none
                assert isinstance(conv, nn.Conv2d)
                own = conv.weight.double()
            scale, shift = _scale_and_shift(norm)
            around = (3 - own.shape[-1]) // 2  # a 1×1 kernel is the middle of a 3×3 one
            kernel += F.pad(own, [around] * 4) * scale[:, None, None, None]
            bias += shift
        folded.weight, folded.bias = nn.Parameter(kernel.float()), nn.Parameter(bias.float())
        return folded


def _scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the factor and the offset of batch normalization in evaluation mode."""
    assert isinstance(norm, nn.BatchNorm2d)
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    scale = norm.weight.double() / (variance.double() + norm.eps).sqrt()
    return scale, norm.bias.double() - mean.double() * scale


class _MirroredPairs(Foldable):
    """A 3×3 convolution whose kernels come with their mirror images, and batch normalization.

    The first half of the channels has learned kernels; the second half computes from the mirrored
    input what the first half computes from the input. Both share one normalization.

    Args:
        width: number of input channels; they come in two such halves, except those of an image.
        channels: number of output channels, an even number.
        lifts: True for the first convolution, which reads an image and makes the two halves.
    """

    def __init__(self, width: int, channels: int, *, lifts: bool) -> None:
        super().__init__()
        self.partner = 0 if lifts else width // 2  # distance of a channel from its counterpart
        # A bias before batch normalization would be subtracted again.
        self.first = nn.Conv2d(width, channels // 2, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels // 2)

    def forward(self, features: Tensor) -> Tensor:
        whole = F.conv2d(features, self.whole(), padding=1)
        # The halves side by side in one map, so that the statistics are those of both; in
        # channels-last layout nothing is copied.
        batch, channels, height, width = whole.shape
        rows = whole.permute(0, 2, 3, 1).reshape(batch, height, 2 * width, channels // 2)
        normalized: Tensor = self.norm(rows.permute(0, 3, 1, 2))
        rows = normalized.permute(0, 2, 3, 1).reshape(batch, height, width, channels)
        return rows.permute(0, 3, 1, 2)

    def whole(self) -> Tensor:
        """Return the kernels of all channels. Shape: (channels, width, 3, 3)."""
        mirrored = self.first.weight.flip(3).roll(self.partner, 1)
        return torch.cat([self.first.weight, mirrored])

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return the convolution that equals this one in evaluation mode."""
        kernel = self.whole().double()
        scale, shift = (each.repeat(2) for each in _scale_and_shift(self.norm))
        folded = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, device="meta")
        folded.weight = nn.Parameter((kernel * scale[:, None, None, None]).float())
        folded.bias = nn.Parameter(shift.float())
        return folded


class _AddHalves(nn.Module):
    """The sum of both halves of the channels, the same for an image and its mirror image."""

    def forward(self, features: Tensor) -> Tensor:
        # Not the sum of two parts: each would have a scale of its own in 8 bits.
        return features.reshape(-1, 2, features.shape[1] // 2).sum(1)


def _conv(
    width: int, channels: int, model: MienNetModel, *, lifts: bool = False
) -> list[nn.Module]:
    if model.mirrored:
        return [_MirroredPairs(width, channels, lifts=lifts)]
    if model.branches:
        return [_Branches(width, channels)]
    return list(_normalized(width, channels, kernel_px=3))


def _normalized(width: int, channels: int, *, kernel_px: int) -> nn.Sequential:
    # A bias before batch normalization would be subtracted again.
    conv = nn.Conv2d(width, channels, kernel_px, padding=kernel_px // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels))
