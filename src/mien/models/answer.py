"""The last layer of an exported network: from features to calibrated logits."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Lower bound of the gate: at 0 all logits would be equal, and rounding would choose the class.
LEAST_OPEN: Final = 1e-3
# Lower bound of probabilities, since the logarithm of 0 is minus infinity.
_LEAST_PROBABILITY: Final = 1e-12


class AnswerLayer(nn.Module):
    """Last layer of an exported network: label logits, optionally mixed with vote probabilities.

    With `mix_votes`, the probabilities of the labels' layer are averaged with those of the layer
    that learned the FER+ votes; the logits are then the logarithm of the average, plus an offset,
    divided by a temperature.

    With `add_face_gate`, the logits are multiplied by ``sigmoid(features @ weight + bias)``.
    Trained networks are confident about many images that are not faces. A gate near 1 leaves the
    logits unchanged; a gate near 0 takes all of them to 0, which makes every class equally
    likely. The most likely class never changes.

    Args:
        labels: layer from features to the logits of the labels.

    Shape: features (batch, features) -> logits (batch, classes).
    Source of the gate: Hsu et al., Generalized ODIN, 2020, divide the logits by a score of how
    unusual an input is; deviation: the gate is fitted after the network, on its features, with
    drawn non-faces, as in the outlier exposure of Hendrycks et al., 2019.
    """

    offset: Tensor
    gate_weight: Tensor
    gate_bias: Tensor

    def __init__(self, labels: nn.Linear) -> None:
        super().__init__()
        self.labels = labels
        self.votes: nn.Linear | None = None
        self.votes_share = 0.0
        self.temperature = 1.0
        self.gated = False

    def mix_votes(
        self, votes: nn.Linear, *, share: float, offset: Tensor, temperature: float
    ) -> None:
        """Average the probabilities with those of a layer of votes.

        Args:
            votes: layer from features to the votes for the classes, in their order.
            share: share of the votes' probabilities, below 1.
            offset: class offsets that are added to the log probabilities. Shape: (classes,).
            temperature: temperature by which the sum is divided.
        """
        self.votes, self.votes_share, self.temperature = votes, share, temperature
        self.register_buffer("offset", offset)

    def add_face_gate(self, weight: Tensor, bias: Tensor) -> None:
        """Multiply the logits by a gate on the features. Shape: (features,), ()."""
        self.gated = True
        self.register_buffer("gate_weight", weight.reshape(1, -1))
        self.register_buffer("gate_bias", bias.reshape(1))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (see the class)."""
        logits: Tensor = self.labels(features)
        if self.votes is not None:
            ours, theirs = torch.softmax(logits, 1), torch.softmax(self.votes(features), 1)
            mixed = (1 - self.votes_share) * ours + self.votes_share * theirs
            logits = (mixed.clamp_min(_LEAST_PROBABILITY).log() + self.offset) / self.temperature
        if self.gated:
            gate = torch.sigmoid(F.linear(features, self.gate_weight, self.gate_bias))
            logits = logits * gate.clamp_min(LEAST_OPEN)
        return logits
