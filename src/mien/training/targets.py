"""Training targets (labels, votes, blends of both) and the losses against them."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.data.votes import vote_columns
from mien.labels import LabelSet

_LEAST_GAMMA: Final = 1e-30  # a draw of two zeros would divide by zero


def soft_targets(labels: Tensor, votes: Tensor, votes_share: float, label_set: LabelSet) -> Tensor:
    """Return each image's label as a distribution, blended with its FER+ votes.

    Only votes for the classes count, as a distribution; an image without such votes keeps its label
    alone.

    Args:
        labels: labels of the images.
        votes: number of votes of each kind, with zeros for an image without votes.
        votes_share: share of the votes in the result; above 0 each class needs votes
            (`mien.data.votes.vote_columns`).
        label_set: classes.

    Shape: labels (batch,), votes (batch, 10) -> (batch, classes).
    """
    hard = F.one_hot(labels, len(label_set)).to(votes.dtype)
    columns = vote_columns(label_set)
    if not votes_share or columns is None:
        return hard
    # A list as an index would be copied to the device, and the step would wait for that.
    counts = torch.stack([votes[:, vote] for vote in columns], 1)
    total = counts.sum(1, keepdim=True)
    blended = (1 - votes_share) * hard + votes_share * counts / total.clamp_min(1)
    return torch.where(total > 0, blended, hard)


def share_votes(votes: Tensor) -> Tensor:
    """Return votes as a distribution over the ten kinds; zeros for an image without votes.

    Shape: (batch, 10) -> (batch, 10).
    """
    return votes / votes.sum(1, keepdim=True).clamp_min(1)


def mix_up(unit: Tensor, targets: list[Tensor], alpha: float) -> tuple[Tensor, list[Tensor]]:
    """Blend each image, and its targets, with those of the image before it in the batch.

    The order of a batch is random, so the image before is a random one. Every image draws its own
    share and keeps at least half of itself.

    Args:
        unit: images.
        targets: distributions over classes, each of shape (batch, classes).
        alpha: parameter of the Beta distribution from which the shares are drawn.

    Shape: unit (batch, channels, height, width).
    Source: Zhang et al., mixup: Beyond Empirical Risk Minimization, 2018; deviation: every
    image draws its own share, not every batch.
    """
    # A Beta variate is a share of two Gamma variates, which every device can draw.
    draws = torch._standard_gamma(torch.full((2, len(unit)), alpha, device=unit.device))
    first, second = draws.clamp_min(_LEAST_GAMMA)
    share = first / (first + second)
    share = torch.maximum(share, 1 - share)

    def blend(values: Tensor) -> Tensor:
        own = share.reshape(-1, *[1] * (values.ndim - 1)).to(values.dtype)
        return torch.lerp(values.roll(1, 0), values, own)

    return blend(unit), [blend(target) for target in targets]


def distillation_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Return the divergence of a student's softened probabilities from its teachers'.

    Args:
        logits: logits of the student.
        taught: probabilities of the teachers, softened by the same temperature.
        temperature: temperature that divides the logits before the softmax.

    Shape: (batch, classes), (batch, classes) -> ().
    Source: Hinton et al., Distilling the Knowledge in a Neural Network, 2015.
    """
    spoken = F.log_softmax(logits / temperature, dim=1)
    # The square keeps the gradients at the scale of the labels' at any temperature.
    return F.kl_div(spoken, taught, reduction="batchmean") * temperature**2


def mirror_divergence(logits: Tensor, mirrored: Tensor) -> Tensor:
    """Return the symmetric Kullback-Leibler divergence of the answers to images and their mirrors.

    Shape: (batch, classes), (batch, classes) -> ().
    """
    ours, theirs = F.log_softmax(logits, dim=1), F.log_softmax(mirrored, dim=1)
    # KL(p, q) + KL(q, p) = sum of (p - q) * (log p - log q)
    return ((ours.exp() - theirs.exp()) * (ours - theirs)).sum(1).mean() / 2
