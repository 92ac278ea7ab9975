"""What every network here shares: pixels to normalised input, and normalised input to logits.

The same module is trained, measured and exported, so that preprocessing exists once.
"""

from __future__ import annotations

from typing import Protocol

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mien.images.crop import SIZE_PX
from mien.labels import VOTES_OF_EMOTIONS
from mien.models.answer import AnswerLayer
from mien.models.layers import fold

# Of an image without contrast, whose deviation is 0; as in TensorFlow's per_image_standardization.
_LEAST_DEVIATION = 1 / SIZE_PX

# Of red, green and blue over ImageNet, as torchvision and Keras's DenseNet preprocessing have them.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class Mix(Protocol):
    """How labels' and votes' probabilities are averaged (`mien.evaluation.calibration`)."""

    @property
    def votes_share(self) -> float:
        """Share of the votes' probabilities of the seven emotions, which add up to 1."""

    @property
    def offset(self) -> tuple[float, ...]:
        """Class offsets that are added to the logarithm of the average, (7,)."""

    @property
    def temperature(self) -> float:
        """Temperature by which the sum is divided."""


def to_unit(images: Tensor) -> Tensor:
    """Turn gray levels into a channel of fractions.

    Shape: uint8 (batch, 48, 48), 0 to 255 -> float32 (batch, 1, 48, 48), 0 to 1.
    """
    return images.unsqueeze(1).float() / 255


class Classifier(nn.Module):
    """A network with the normalisation that it expects in front.

    Shape: images float (batch, 1, 48, 48) in [0, 1] -> logits (batch, 7).

    Args:
        network: takes normalised images.
        normalization: ``unit`` passes [0, 1] on; ``standardize`` takes each image to mean 0 and
            deviation 1, so that neither lighting nor contrast matters; ``imagenet`` makes it RGB
            with the mean and deviation of ImageNet's channels at 0 and 1.
        input_px: the network takes the middle so many pixels; of smaller images, all.
    """

    imagenet_mean: Tensor
    imagenet_deviation: Tensor

    def __init__(self, network: nn.Module, normalization: str, input_px: int = SIZE_PX) -> None:
        super().__init__()
        self.network = network
        self.input_px = input_px
        self.normalization = normalization
        if normalization == "imagenet":
            for name, values in (("mean", _IMAGENET_MEAN), ("deviation", _IMAGENET_DEVIATION)):
                channels = torch.tensor(values).reshape(1, 3, 1, 1)
                self.register_buffer(f"imagenet_{name}", channels, persistent=False)

    def forward(self, unit: Tensor) -> Tensor:
        """Return logits (see the class)."""
        logits: Tensor = self.network(self.normalize(unit))
        return logits

    def normalize(self, unit: Tensor) -> Tensor:
        """Return images as the network takes them.

        Shape: (batch, 1, height, width) -> (batch, channels, height, width), cut to `input_px`.
        """
        if unit.shape[-1] > self.input_px:
            start = (unit.shape[-1] - self.input_px) // 2
            kept = slice(start, start + self.input_px)
            unit = unit[:, :, kept, kept]
        if self.normalization == "standardize":
            # Spelt out: the exporter takes torch.std_mean apart into sums that lose three digits.
            centred = unit - _image_mean(unit)
            deviation = _image_mean(centred.square()).sqrt()
            return centred / deviation.clamp_min(_LEAST_DEVIATION)
        if self.normalization == "imagenet":
            return (unit - self.imagenet_mean) / self.imagenet_deviation  # one channel to three
        return unit

    @property
    def last_layer(self) -> nn.Linear:
        """The layer from features to the logits of the labels."""
        _, last = self._last()
        return last.labels if isinstance(last, AnswerLayer) else last

    def features(self, unit: Tensor) -> Tensor:
        """Return what the last layer takes in. Shape: (batch, 1, 48, 48) -> (batch, features)."""
        taken: list[Tensor] = []
        hook = self.last_layer.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
        try:
            self(unit)
        finally:
            hook.remove()
        return taken[0]

    def calibrate(self, matrix: npt.ArrayLike, bias: npt.ArrayLike) -> None:
        """Make the labels' logits what ``logits @ matrix + bias`` were, by changing their layer.

        Shape: (7, 7), (7,).
        """
        last = self.last_layer
        turn = torch.as_tensor(matrix, dtype=torch.float64)
        with torch.no_grad():
            last.weight.copy_(turn.T @ last.weight.double())
            last.bias.copy_(last.bias.double() @ turn + torch.as_tensor(bias))

    def mix_votes(self, weight: Tensor, bias: Tensor, mix: Mix) -> None:
        """Average the answer with that of the layer that has learnt the FER+ votes.

        What is exported, explained and taught from then on is the average; what is trained further
        is not.

        Args:
            weight: the weight of the votes' layer.
            bias: the bias of the votes' layer.
            mix: share, offset and temperature of the average; a share of 0 changes nothing.

        Shape: weight (10, features), bias (10,).
        """
        if not mix.votes_share:
            return
        seven = list(VOTES_OF_EMOTIONS)
        votes = nn.Linear(weight.shape[1], len(seven), device="meta")  # draws no random weights
        votes.weight, votes.bias = nn.Parameter(weight[seven]), nn.Parameter(bias[seven])
        self._answer().mix_votes(
            votes,
            share=mix.votes_share,
            offset=torch.tensor(mix.offset, dtype=torch.float32),
            temperature=mix.temperature,
        )

    def add_face_gate(self, weight: npt.ArrayLike, bias: float) -> None:
        """Let logits fade where ``sigmoid(features @ weight + bias)`` is near 0.

        For what is exported: neither training nor explanations know of gates.

        Shape: weight (features,).
        """
        gate = torch.tensor(weight, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)
        self._answer().add_face_gate(*gate)

    def _answer(self) -> AnswerLayer:
        """Return the last layer as one that can be added to."""
        name, last = self._last()
        if isinstance(last, AnswerLayer):
            return last
        answer = AnswerLayer(last).train(self.training)
        self.network.set_submodule(name, answer)
        return answer

    def _last(self) -> tuple[str, AnswerLayer | nn.Linear]:
        """Return the name of the last layer, and the layer, added to or not."""
        parts = dict(self.network.named_modules())
        for name, part in parts.items():
            if isinstance(part, AnswerLayer):
                return name, part
        return [(name, part) for name, part in parts.items() if isinstance(part, nn.Linear)][-1]


def _image_mean(images: Tensor) -> Tensor:
    # Rows first, then their means: ONNX Runtime adds up in order, and over 2,304 values in one go
    # its rounding would move a flat image's logits by 1e-4.
    return images.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True)


def count_macs(classifier: Classifier) -> int:
    """Return the multiply-accumulates that reading one face costs, convolutions and products."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        fold(classifier)(torch.zeros(1, 1, SIZE_PX, SIZE_PX))
    return int(counter.get_total_flops()) // 2  # a multiplication and an addition each


def count_parameters(module: nn.Module) -> int:
    """Return the number of trained weights."""
    return sum(parameter.numel() for parameter in module.parameters())
