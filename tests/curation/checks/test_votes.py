"""Checks of labels against votes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.curation.conftest import finding

from mien.curation import audit_dataset
from mien.data.fer2013 import FERPLUS_VOTES


def test_votes_against_labels(clean):
    votes = np.zeros((len(clean), 10), np.int8)
    happy, no_face = FERPLUS_VOTES.index("happiness"), FERPLUS_VOTES.index("NF")
    votes[:, happy] = 10
    votes[:3] = 0
    votes[:3, no_face] = 10
    audit = audit_dataset(replace(clean, votes=votes))
    assert finding(audit, "voted-no-face").count == 3
    noise = finding(audit, "label-noise")
    others = int(np.sum(clean.labels[3:] != 3))
    assert noise.count == others
    assert noise.items[0].note == "10 of 10 voted happiness"
    assert noise.figures["agree: happy"] == 1.0


def test_votes_that_agree_pass(clean):
    named = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    votes = np.zeros((len(clean), 10), np.int8)
    votes[np.arange(len(clean)), [FERPLUS_VOTES.index(named[label]) for label in clean.labels]] = 10
    audit = audit_dataset(replace(clean, votes=votes))
    assert "label-noise" not in {one.check for one in audit.findings}
    assert "no label disagrees with the majority of votes" in audit.fine
