"""Classifier: a network with the normalization of its input in front.

The same module is trained, measured and exported, so that preprocessing exists once.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mien.data.votes import vote_columns
from mien.images.crop import centre_crop
from mien.models.answer import AnswerLayer
from mien.models.base import DEFAULT_TASK, Network, Task
from mien.models.layers import fold
from mien.recipes.families import FAMILIES, typed_section
from mien.recipes.sections import ModelSection

# Channel means and stds of ImageNet (red, green, blue), as in torchvision and Keras's DenseNet.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class Mix(Protocol):
    """Parameters of the average of label and vote probabilities (`mien.evaluation.calibration`)."""

    @property
    def votes_share(self) -> float:
        """Share of the votes' probabilities, which add up to 1 over the classes."""

    @property
    def offset(self) -> tuple[float, ...]:
        """Class offsets that are added to the logarithm of the average, (classes,)."""

    @property
    def temperature(self) -> float:
        """Temperature by which the sum is divided."""


def to_unit(images: Tensor) -> Tensor:
    """Turn the levels of face crops into channels of fractions.

    Shape: uint8 (batch, side, side) or (batch, side, side, 3), 0 to 255 -> float32 (batch, 1, side,
        side) or (batch, 3, side, side), 0 to 1.
    """
    channels = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return channels.float() / 255


def to_levels(unit: Tensor) -> Tensor:
    """Turn channels of fractions into the levels of face crops, rounded; undoes `to_unit`.

    Shape: float (batch, 1 or 3, side, side) -> uint8 (batch, side, side) or (batch, side, side, 3).
    """
    levels = (unit * 255).round().byte()
    return levels.squeeze(1) if levels.shape[1] == 1 else levels.permute(0, 2, 3, 1)


class Classifier(nn.Module):
    """A network with the normalization of its input in front.

    Shape: images float (batch, channels, size_px, size_px) in [0, 1] -> logits (batch, classes).

    Args:
        network: network that takes normalized images.
        normalization: ``unit`` leaves images in [0, 1]; ``standardize`` scales each image to mean 0
            and std 1, so that neither brightness nor contrast matters; ``imagenet`` repeats a gray
            channel three times and normalizes by ImageNet's channel means and stds.
    """

    imagenet_mean: Tensor
    imagenet_std: Tensor

    def __init__(self, network: Network, normalization: str) -> None:
        super().__init__()
        self.network = network
        self.normalization = normalization
        # Lower bound of the std of an image, which is 0 without contrast; as in TensorFlow's
        # per_image_standardization.
        self._least_std = 1 / (self.task.size_px * math.sqrt(self.task.channels))
        if normalization == "imagenet":
            for name, values in (("mean", _IMAGENET_MEAN), ("std", _IMAGENET_STD)):
                channels = torch.tensor(values).reshape(1, 3, 1, 1)
                self.register_buffer(f"imagenet_{name}", channels, persistent=False)

    def forward(self, unit: Tensor) -> Tensor:
        """Return logits (see the class)."""
        logits: Tensor = self.network(self.normalize(unit))
        return logits

    def normalize(self, unit: Tensor) -> Tensor:
        """Return images as the network's input: cropped to its size, and normalized.

        Shape: (batch, channels, height, width) -> (batch, channels, input_px, input_px).
        """
        if unit.shape[-1] > self.network.input_px:
            unit = centre_crop(unit, self.network.input_px)
        if self.normalization == "standardize":
            # Spelled out: the exporter takes torch.std_mean apart into sums that lose three digits.
            centred = unit - _image_mean(unit)
            std = _image_mean(centred.square()).sqrt()
            return centred / std.clamp_min(self._least_std)
        if self.normalization == "imagenet":
            return (unit - self.imagenet_mean) / self.imagenet_std  # a gray channel to three
        return unit

    @property
    def task(self) -> Task:
        """The classes and the crops that the network is built for."""
        return self.network.task

    @property
    def input_px(self) -> int:
        """Side of the centre crop that the network reads, in pixels."""
        return self.network.input_px

    @property
    def last_layer(self) -> nn.Linear:
        """The layer from features to the logits of the labels."""
        last = self.network.head[-1]
        found = last.labels if isinstance(last, AnswerLayer) else last
        assert isinstance(found, nn.Linear)
        return found

    def features(self, unit: Tensor) -> Tensor:
        """Return the input of the last layer.

        Shape: (batch, channels, size_px, size_px) -> (batch, features).
        """
        taken: list[Tensor] = []
        hook = self.last_layer.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
        try:
            self(unit)
        finally:
            hook.remove()
        return taken[0]

    def calibrate(self, matrix: npt.ArrayLike, bias: npt.ArrayLike) -> None:
        """Replace the label logits by ``logits @ matrix + bias``, folded into the last layer.

        Shape: (classes, classes), (classes,).
        """
        last = self.last_layer
        turn = torch.as_tensor(matrix, dtype=torch.float64)
        with torch.no_grad():
            last.weight.copy_(turn.T @ last.weight.double())
            last.bias.copy_(last.bias.double() @ turn + torch.as_tensor(bias))

    def mix_votes(self, weight: Tensor, bias: Tensor, mix: Mix) -> None:
        """Average the probabilities with those of the layer that learned the FER+ votes.

        Use it for export, explanations and teachers only: training further would not update the
        votes' layer.

        Args:
            weight: weight of the votes' layer.
            bias: bias of the votes' layer.
            mix: share, offset and temperature of the average; a share of 0 changes nothing.

        Shape: weight (10, features), bias (10,).
        """
        if not mix.votes_share:
            return
        columns = list(vote_columns(self.task.labels) or ())
        votes = nn.Linear(weight.shape[1], len(columns), device="meta")  # draws no random weights
        votes.weight, votes.bias = nn.Parameter(weight[columns]), nn.Parameter(bias[columns])
        self._answer().mix_votes(
            votes,
            share=mix.votes_share,
            offset=torch.tensor(mix.offset, dtype=torch.float32),
            temperature=mix.temperature,
        )

    def add_face_gate(self, weight: npt.ArrayLike, bias: float) -> None:
        """Multiply the logits by ``sigmoid(features @ weight + bias)``.

        Use it for export only: training and explanations use the network without the gate.

        Shape: weight (features,).
        """
        gate = torch.tensor(weight, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)
        self._answer().add_face_gate(*gate)

    def _answer(self) -> AnswerLayer:
        """Return the last layer as an AnswerLayer, which replaces it if it is still plain."""
        last = self.network.head[-1]
        if not isinstance(last, AnswerLayer):
            last = AnswerLayer(self.last_layer).train(self.training)
            self.network.head[-1] = last
        return last


def _image_mean(images: Tensor) -> Tensor:
    # Rows first, then their means: ONNX Runtime sums in order, and over 2,304 values at once its
    # rounding would shift a flat image's logits by 1e-4.
    mean = images.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True)
    return mean if images.shape[1] == 1 else mean.mean(dim=1, keepdim=True)


def count_macs(classifier: Classifier) -> int:
    """Return the multiply-accumulate operations for one face, convolutions and dense layers."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        crop = torch.zeros(1, *classifier.task.crop.shape, dtype=torch.uint8)
        fold(classifier)(to_unit(crop))
    return int(counter.get_total_flops()) // 2  # a multiplication and an addition each


def count_parameters(module: nn.Module) -> int:
    """Return the number of trained weights."""
    return sum(parameter.numel() for parameter in module.parameters())


def build_model(model: ModelSection, task: Task = DEFAULT_TASK, *, seed: int = 0) -> Classifier:
    """Build the network that a recipe's [model] describes, with weights drawn from ``seed``.

    Published weights are loaded separately (`mien.models.weights.load_weights`).

    Args:
        model: [model] section of the recipe.
        task: classes and crops that the network is built for.
        seed: seed of the weights.

    Raises:
        RecipeError: if there is no such family, or a value or the task does not fit it.

    Shape: images float (batch, channels, size_px, size_px) in [0, 1] -> logits (batch, classes).
    """
    section = typed_section(model)
    FAMILIES[section.family].check(section, task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(FAMILIES[section.family](section, task), section.normalization)
