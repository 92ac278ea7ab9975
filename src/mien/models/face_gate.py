"""A last layer that is unsure where its features are those of no face."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FaceGatedLinear(nn.Linear):
    """``linear(features) * sigmoid(gate(features))``.

    Trained networks are sure of much that is no face. A gate near 1 leaves the logits of a face as
    they are; one near 0 takes them all to 0, where no emotion is likelier than another. Which is
    the likeliest never changes.

    The gate is of buffers, not parameters: no training changes it.

    Args:
        linear: the layer that it takes the place of.

    Shape: (batch, features) -> (batch, 7).
    Source: a quotient of logits and how far out an input lies, as in Hsu et al., Generalized ODIN,
    2020; deviation: fitted after the network, on its features, with drawn non-faces, which is the
    outlier exposure of Hendrycks et al., 2019.
    """

    gate_weight: Tensor
    gate_bias: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.in_features, linear.out_features)
        self.weight, self.bias = linear.weight, linear.bias
        self.register_buffer("gate_weight", torch.zeros(1, linear.in_features))
        self.register_buffer("gate_bias", torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (see the class)."""
        gate = torch.sigmoid(F.linear(features, self.gate_weight, self.gate_bias))
        return super().forward(features) * gate
