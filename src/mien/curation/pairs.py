"""Pairs of near duplicates as images, and how duplicates leak from one split into another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import Final, Literal

import numpy as np

from mien.curation.findings import Item, refer
from mien.data import FaceDataset
from mien.data.duplicates.groups import Duplicates
from mien.data.duplicates.search import NearDuplicates
from mien.types import Integers, Mask

WHY_LEAKS_MATTER: Final = (
    "A network knows the labels of images that it was trained on, so a score on such images says "
    "nothing about other images, and a checkpoint selected on them is badly selected."
)
MEND_LEAKS: Final = (
    "Remove the copies from train (mien data clean), or split afresh with duplicates kept together "
    "(mien data split --fractions … --keep-duplicates-together). Until then report the score "
    "without them, as mien evaluate does."
)
_MOST_ITEMS: Final = 10_000  # pairs of a finding that audit.json lists; all are counted
_KINDS: Final = {
    "exact": "an identical image",
    "near": "a near duplicate",
    "any": "a duplicate of either kind",
}


@dataclass(frozen=True, eq=False)
class NearPairs:
    """Pairs of near duplicates as pairs of images, from different splits if possible.

    Args:
        rows: positions of the two images of each pair. Shape: (P, 2).
        across: mask of the pairs whose two images are in different splits. Shape: (P,).
        near: the same pairs as pairs of pictures.
    """

    rows: Integers
    across: Mask
    near: NearDuplicates

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, where: Mask) -> NearPairs:
        """Return some of the pairs, in the same order."""
        return NearPairs(self.rows[where], self.across[where], self.near.take(where))

    def count_images(self) -> int:
        """Return how many images are in at least one of the pairs."""
        return len(np.unique(self.rows))

    def items(self, dataset: FaceDataset) -> tuple[Item, ...]:
        """Return the most similar pairs as the items of a finding, 10,000 at most."""
        return tuple(
            Item(images=refer(dataset, rows), note=self._note(at))
            for at, rows in enumerate(self.rows[:_MOST_ITEMS])
        )

    def _note(self, at: int) -> str:
        """Return the changes from one image to the other, and their correlation, in words."""
        near = self.near
        down, right = near.shifts[at]
        changes = ["mirrored"] if near.mirrored[at] else []
        changes += [f"rescaled ×{near.scale[at]:.2f}"] if near.scale[at] != 1 else []
        changes += [f"shifted {down:+d}, {right:+d} px"] if down or right else []
        return ", ".join([*changes, f"correlation {near.correlation[at]:.2f}"])


def near_pairs(dataset: FaceDataset, duplicates: Duplicates) -> NearPairs:
    """Return the pairs of near duplicates, the most similar first."""
    order = np.argsort(duplicates.exact, kind="stable")
    ends = np.cumsum([0, *np.bincount(duplicates.exact)])
    near = duplicates.near.take(np.argsort(-duplicates.near.correlation, kind="stable"))
    rows = np.empty((len(near), 2), np.int64)
    for at, (first, second) in enumerate(zip(near.first, near.second, strict=True)):
        firsts, seconds = (order[ends[one] : ends[one + 1]] for one in (first, second))
        rows[at] = _choose(dataset, firsts, seconds)
    across = dataset.splits[rows[:, 0]] != dataset.splits[rows[:, 1]]
    return NearPairs(rows, across, near)


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
