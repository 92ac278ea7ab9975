from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mien.data.fer2013 import FERPLUS_VOTES
from mien.labels import FER2013
from mien.training.targets import (
    distillation_loss,
    mirror_divergence,
    mix_up,
    share_votes,
    soft_targets,
)

HAPPY, SAD = FER2013.names.index("happy"), FER2013.names.index("sad")


def votes(**counts):
    row = torch.zeros(10)
    for name, count in counts.items():
        row[FERPLUS_VOTES.index(name)] = count
    return row


def test_a_target_is_the_label_and_a_share_of_the_votes_for_the_seven():
    counted = torch.stack([votes(happiness=6, sadness=2, contempt=2), votes(NF=10), votes()])
    targets = soft_targets(torch.tensor([SAD, SAD, HAPPY]), counted, 0.5, FER2013)
    expected = torch.zeros(3, 7)
    expected[0, HAPPY], expected[0, SAD] = 0.5 * 0.75, 0.5 + 0.5 * 0.25
    expected[1, SAD] = expected[2, HAPPY] = 1  # without a vote for one of the seven, the label
    torch.testing.assert_close(targets, expected)


def test_shares_of_votes_add_up_to_one_or_nothing():
    shares = share_votes(torch.stack([votes(happiness=6, NF=2), votes()]))
    assert shares.sum(1).tolist() == [1, 0]
    assert shares[0, FERPLUS_VOTES.index("NF")] == 0.25


def test_mixup_blends_an_image_and_its_targets_by_the_same_share():
    torch.manual_seed(0)
    unit = torch.arange(6.0).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    target = torch.arange(6.0).reshape(-1, 1)
    mixed, (targets,) = mix_up(unit, [target], alpha=0.4)
    torch.testing.assert_close(mixed[:, 0, 0, 0], targets[:, 0])
    torch.testing.assert_close(mixed, mixed[:, :, :1, :1].expand_as(mixed))
    step = (mixed[1:, 0, 0, 0] - target[1:, 0]).abs()  # the image before is 1 less
    assert (step <= 0.5).all()  # it keeps half of itself at least
    assert step.max() > 0.01


def test_mixup_draws_shares_from_the_beta_distribution():
    torch.manual_seed(0)
    unit = torch.tensor([0.0, 1.0]).repeat(20_000).reshape(-1, 1, 1, 1)
    mixed, _ = mix_up(unit, [], alpha=0.2)
    own = torch.where(unit > 0, mixed, 1 - mixed).flatten()
    folded = torch.distributions.Beta(0.2, 0.2).sample((40_000,))
    folded = torch.maximum(folded, 1 - folded)
    assert own.mean() == pytest.approx(float(folded.mean()), abs=0.005)
    assert own.std() == pytest.approx(float(folded.std()), abs=0.005)


def test_the_divergence_of_mirrors_is_symmetric_and_zero_for_the_same_answer():
    torch.manual_seed(0)
    ours, theirs = torch.randn(2, 5, 7)
    assert mirror_divergence(ours, ours + 3) == pytest.approx(0, abs=1e-6)
    p, q = ours.log_softmax(1), theirs.log_softmax(1)
    both = [F.kl_div(a, b, log_target=True, reduction="batchmean") for a, b in ((p, q), (q, p))]
    assert mirror_divergence(ours, theirs) == pytest.approx(float(sum(both) / 2), rel=1e-5)
    assert mirror_divergence(ours, theirs) == pytest.approx(float(mirror_divergence(theirs, ours)))


def test_distillation_has_nothing_to_learn_from_its_own_answer():
    logits = torch.randn(4, 7, generator=torch.manual_seed(0))
    assert distillation_loss(logits, (logits / 3).softmax(1), 3.0) == pytest.approx(0, abs=1e-5)
    assert distillation_loss(logits, (logits / 3).softmax(1).roll(1, 0), 3.0) > 0.01
