"""Pairs of near duplicates as images, and how duplicates leak from one split into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import Final, Literal

import numpy as np

from mien.curation.findings import Item, refer
from mien.data import FaceDataset
from mien.data.duplicates.groups import Duplicates
from mien.types import Integers

WHY_LEAKS_MATTER: Final = (
    "A network knows the labels of images that it was trained on, so a score on such images says "
    "nothing about other images, and a checkpoint selected on them is badly selected."
)
MEND_LEAKS: Final = (
    "Remove the copies from train (mien data clean), or split afresh with duplicates kept together "
    "(mien data split --fractions … --keep-duplicates-together). Until then report the score "
    "without them, as mien evaluate does."
)
_KINDS: Final = {
    "exact": "an identical image",
    "near": "a near duplicate",
    "any": "a duplicate of either kind",
}


@dataclass(frozen=True)
class NearPair:
    """Two images of a pair of near duplicates, from different splits if possible.

    Args:
        rows: positions of the two images.
        across: True if the two images are in different splits.
        mirrored: True if one image is the other mirrored left to right.
        rescaled: True if the two images differ in scale.
        shifted: True if the two images are shifted by at least 2 px.
        note: changes and correlation, in words.
    """

    rows: tuple[int, int]
    across: bool
    mirrored: bool
    rescaled: bool
    shifted: bool
    note: str


def near_pairs(dataset: FaceDataset, duplicates: Duplicates) -> list[NearPair]:
    """Return the pairs of near duplicates, the most similar first."""
    order = np.argsort(duplicates.exact, kind="stable")
    ends = np.cumsum(np.bincount(duplicates.exact))
    members = [order[start:end] for start, end in pairwise([0, *ends])]
    near = duplicates.near
    pairs = []
    for at in np.argsort(-near.correlation, kind="stable"):
        rows = _choose(dataset, members[near.first[at]], members[near.second[at]])
        mirrored, rescaled = bool(near.mirrored[at]), bool(near.scale[at] != 1)
        down, right = near.shifts[at]
        changes = ["mirrored"] if mirrored else []
        changes += [f"rescaled ×{near.scale[at]:.2f}"] if rescaled else []
        changes += [f"shifted {down:+d}, {right:+d} px"] if down or right else []
        pairs.append(
            NearPair(
                rows,
                across=bool(dataset.splits[rows[0]] != dataset.splits[rows[1]]),
                mirrored=mirrored,
                rescaled=rescaled,
                shifted=bool(max(abs(down), abs(right)) >= 2),
                note=", ".join([*changes, f"correlation {near.correlation[at]:.2f}"]),
            )
        )
    return pairs


def pair_items(dataset: FaceDataset, pairs: Sequence[NearPair]) -> tuple[Item, ...]:
    """Return pairs as the items of a finding."""
    return tuple(Item(images=refer(dataset, pair.rows), note=pair.note) for pair in pairs)


def count_images(pairs: Sequence[NearPair]) -> int:
    """Return how many images are in at least one of the pairs."""
    return len({row for pair in pairs for row in pair.rows})


def count_leaks(
    dataset: FaceDataset, duplicates: Duplicates, kind: Literal["exact", "near", "any"]
) -> dict[str, int]:
    """Return the number of images of each later split with a duplicate in an earlier one.

    Args:
        dataset: data set.
        duplicates: all duplicates within it.
        kind: kind of duplicates to count.

    Returns:
        Number of images by the description of the leak.
    """
    counts = {}
    for earlier, later in combinations(dataset.split_counts(), 2):
        overlap = duplicates.among(dataset.splits == earlier)
        mask = getattr(overlap, kind) & (dataset.splits == later)
        counts[f"{later} images with {_KINDS[kind]} in {earlier}"] = int(mask.sum())
    return counts


def leak_verdict(dataset: FaceDataset, duplicates: Duplicates) -> str:
    """Return how many images of the other splits have a duplicate in train, as a sentence.

    Args:
        dataset: data set.
        duplicates: all duplicates within it.

    Returns:
        The sentence; an empty text if no image has one, or there is no train split.
    """
    known = duplicates.among(dataset.splits == "train").any
    parts = []
    for split, images in dataset.split_counts().items():
        leaked = int((known & (dataset.splits == split)).sum())
        if split != "train" and leaked:
            parts.append(f"{leaked:,} of {images:,} {split} images ({leaked / images:.1%})")
    if not parts:
        return ""
    have = "has" if len(parts) == 1 and parts[0].startswith("1 of") else "have"
    return f"{' and '.join(parts)} {have} a duplicate in train, so scores on them are too high."


def _choose(dataset: FaceDataset, firsts: Integers, seconds: Integers) -> tuple[int, int]:
    """Return an image of each of two pictures, from different splits if possible."""
    for first, second in product(firsts[::-1].tolist(), seconds.tolist()):
        if dataset.splits[first] != dataset.splits[second]:
            return first, second
    return int(firsts[0]), int(seconds[0])
