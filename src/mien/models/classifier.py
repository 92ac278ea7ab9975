"""What every network here shares: pixels to normalised input, and normalised input to logits.

The same module is trained, measured and exported, so that preprocessing exists once.
"""

from __future__ import annotations

from torch import Tensor, nn

from mien.data.pixels import SIZE_PX

# Of an image without contrast, whose deviation is 0; as in TensorFlow's per_image_standardization.
_LEAST_DEVIATION = 1 / SIZE_PX


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
            deviation 1, so that neither lighting nor contrast matters.
    """

    def __init__(self, network: nn.Module, normalization: str) -> None:
        super().__init__()
        self.network = network
        self.normalization = normalization

    def forward(self, unit: Tensor) -> Tensor:
        """Return logits (see the class)."""
        if self.normalization == "standardize":
            # Spelt out: the exporter takes torch.std_mean apart into sums that lose three digits.
            centred = unit - _image_mean(unit)
            deviation = _image_mean(centred.square()).sqrt()
            unit = centred / deviation.clamp_min(_LEAST_DEVIATION)
        logits: Tensor = self.network(unit)
        return logits


def _image_mean(images: Tensor) -> Tensor:
    # Rows first, then their means: ONNX Runtime adds up in order, and over 2,304 values in one go
    # its rounding would move a flat image's logits by 1e-4.
    return images.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True)


def count_parameters(module: nn.Module) -> int:
    """Return the number of trained weights."""
    return sum(parameter.numel() for parameter in module.parameters())
