"""FER-2013 and FER+: facts and published scores of these two data sets.

Source: Goodfellow et al., Challenges in Representation Learning, 2013; Barsoum et al., Training
Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution, 2016 (FER+).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

# The value of the column Usage for each split.
USAGES: Final = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}

# Images of each class in the order of `mien.labels.FER2013`, by Usage.
CLASS_COUNTS: Final[Mapping[str, tuple[int, ...]]] = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}
SPLIT_SIZES: Final = {usage: sum(counts) for usage, counts in CLASS_COUNTS.items()}
NUM_ROWS: Final = sum(SPLIT_SIZES.values())

# A popular folder release that shuffled all three splits: about four fifths of PrivateTest is in
# its training folder, so a network trained on it has no honest score on FER-2013's test images.
LEAKY_RELEASE_SIZES: Final = (28_821, 7_066)

# Accuracy of human annotators against the labels, measured by Goodfellow et al., 2013.
HUMAN_ACCURACY: Final = 0.65
HUMAN_ACCURACY_STD: Final = 0.05


class PublishedScore(NamedTuple):
    """An accuracy that another model reaches on PrivateTest."""

    model: str
    accuracy: float
    note: str


# The first four are open weights, measured here without test-time augmentation; the others are
# results of their authors' own training code.
PUBLISHED_SCORES: Final = (
    PublishedScore("face-api.js", 0.588, "open weights"),
    PublishedScore("mini-Xception", 0.654, "open weights"),
    PublishedScore("big Xception", 0.668, "open weights"),
    PublishedScore("the best open weights found", 0.693, "open weights"),
    PublishedScore("the best trained from scratch", 0.727, "training code, no weights"),
    PublishedScore(
        "the best with ImageNet weights", 0.741, "143 M parameters, mean over ten augmented copies"
    ),
)


def find_usage(class_counts: Sequence[int]) -> str | None:
    """Return the Usage that has these images per class; None for data that is not FER-2013."""
    counts = tuple(class_counts)
    return next((usage for usage, own in CLASS_COUNTS.items() if own == counts), None)


# FER+ counts ten kinds of votes for each image, in this order; NF stands for "not a face".
FERPLUS_VOTES: Final = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
