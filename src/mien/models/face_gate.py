"""A last layer that is unsure where its features are those of no face."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Closed, but not so far that rounding makes all emotions as likely and another the likeliest.
LEAST_OPEN: Final = 1e-3


class FaceGatedLinear(nn.Module):
    """``linear(features) * sigmoid(features @ weight + bias)``.

    Trained networks are sure of much that is no face. A gate near 1 leaves the logits of a face as
    they are; one near 0 takes them all to 0, where no emotion is likelier than another. Which is
    the likeliest does not change.

    Args:
        linear: the layer from features to logits.
        weight: of the gate.
        bias: of the gate.

    Shape: weight (features,); features (batch, features) -> (batch, 7).
    Source: a quotient of logits and how far out an input lies, as in Hsu et al., Generalized ODIN,
    2020; deviation: fitted after the network, on its features, with drawn non-faces, which is the
    outlier exposure of Hendrycks et al., 2019.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, linear: nn.Linear, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.linear = linear
        self.register_buffer("weight", weight.reshape(1, -1))
        self.register_buffer("bias", bias.reshape(1))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (see the class)."""
        gate = torch.sigmoid(F.linear(features, self.weight, self.bias))
        logits: Tensor = self.linear(features) * gate.clamp_min(LEAST_OPEN)
        return logits
