"""Images that are in a data set more than once: across splits, within one, under two labels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from mien.curation.findings import Finding, Item, refer
from mien.data import FaceDataset
from mien.data.duplicates.groups import Duplicates, Overlap
from mien.data.duplicates.search import NearDuplicates
from mien.data.split import SPLITS

Rows = npt.NDArray[np.intp]

_LEAK = (
    "A network that has learnt an image knows its label, so the score on such images says nothing "
    "about others, and what is chosen by them is chosen wrongly."
)
_MEND_LEAK = (
    "Take the copies out of train (mien data clean), or split anew with duplicates kept together "
    "(mien data split --fractions … --keep-duplicates-together). Until then report the score "
    "without them, as mien evaluate does."
)


def check_duplicates(dataset: FaceDataset, duplicates: Duplicates) -> list[Finding]:
    """Return what there is to say on duplicates within a data set."""
    found = [
        _identical_across(dataset, duplicates),
        _identical_within(dataset, duplicates),
        _near_across(dataset, duplicates),
        _near_within(dataset, duplicates),
        _conflicts(dataset, duplicates),
        _near_conflicts(dataset, duplicates),
    ]
    return [finding for finding in found if finding is not None]


def overlap_finding(dataset: FaceDataset, overlap: Overlap, other: str) -> Finding | None:
    """Return how much of a data set stands in another one, None if nothing does."""
    if not overlap.any.any():
        return None
    count = int(overlap.any.sum())
    figures: dict[str, int | float | str] = {
        "identical": int(overlap.identical.sum()),
        "near": int(overlap.near.sum()),
        "share": round(count / len(dataset), 4),
    }
    for split in dataset.split_counts():
        figures[f"{split}: any duplicate"] = int((overlap.any & (dataset.splits == split)).sum())
    order = [*np.nonzero(overlap.identical)[0], *np.nonzero(overlap.near)[0]]
    return Finding(
        check="inside-other",
        severity="serious",
        title=f"{count:,} of {len(dataset):,} images of {dataset.name} are inside {other}",
        count=count,
        why=_LEAK,
        what_to_do=f"Do not measure on these what was trained on {other}; measure on the others.",
        figures=figures,
        items=tuple(
            Item(
                images=refer(dataset, [row]),
                note="identical" if overlap.identical[row] else "near duplicate",
            )
            for row in order
        ),
    )


def _identical_across(dataset: FaceDataset, duplicates: Duplicates) -> Finding | None:
    groups = [rows for rows in _groups(duplicates.identical) if _splits(dataset, rows) > 1]
    if not groups:
        return None
    figures: dict[str, int | float | str] = {"groups": len(groups)}
    for left, right in combinations(dataset.split_counts(), 2):
        figures[f"pairs {left}–{right}"] = sum(
            int((dataset.splits[rows] == left).sum() * (dataset.splits[rows] == right).sum())
            for rows in groups
        )
    figures |= _images_seen(dataset, duplicates, "identical")
    count = sum(len(rows) for rows in groups)
    return Finding(
        check="identical-across-splits",
        severity="serious",
        title=f"{count:,} images in {len(groups):,} groups are identical across splits",
        count=count,
        why=_LEAK,
        what_to_do=_MEND_LEAK,
        figures=figures,
        items=tuple(Item(images=refer(dataset, rows)) for rows in groups),
    )


def _identical_within(dataset: FaceDataset, duplicates: Duplicates) -> Finding | None:
    # one number for each pair of picture and split
    both = duplicates.identical * len(SPLITS) + _split_numbers(dataset)
    groups = list(_groups(both))
    if not groups:
        return None
    surplus = sum(len(rows) - 1 for rows in groups)
    figures: dict[str, int | float | str] = {"groups": len(groups), "surplus": surplus}
    for split in dataset.split_counts():
        figures[f"surplus in {split}"] = sum(
            len(rows) - 1 for rows in groups if dataset.splits[rows[0]] == split
        )
    return Finding(
        check="identical-within-splits",
        severity="warning",
        title=f"{surplus:,} images are copies of another one in the same split",
        count=surplus,
        why="Copies weigh more than other images: in train they are learnt more often, in val and "
        "test they count more often, and intervals come out too narrow.",
        what_to_do="Merge them: mien data clean.",
        figures=figures,
        items=tuple(
            Item(images=refer(dataset, rows)) for rows in sorted(groups, key=len, reverse=True)
        ),
    )


def _near_across(dataset: FaceDataset, duplicates: Duplicates) -> Finding | None:
    pairs = [pair for pair in _near_pairs(dataset, duplicates) if pair.across]
    if not pairs:
        return None
    figures: dict[str, int | float | str] = {
        "pairs of pictures": len(pairs),
        "mirrored": sum(pair.mirrored for pair in pairs),
        "rescaled": sum(pair.rescaled for pair in pairs),
        "shifted by 2 px or more": sum(pair.shifted for pair in pairs),
    }
    figures |= _images_seen(dataset, duplicates, "near") | _images_seen(dataset, duplicates, "any")
    count = len({row for pair in pairs for row in pair.rows})
    return Finding(
        check="near-duplicates-across-splits",
        severity="serious",
        title=f"{count:,} images have a near duplicate in another split",
        count=count,
        why=_LEAK,
        what_to_do=_MEND_LEAK,
        figures=figures,
        items=tuple(Item(images=refer(dataset, pair.rows), note=pair.note) for pair in pairs),
    )


def _near_within(dataset: FaceDataset, duplicates: Duplicates) -> Finding | None:
    pairs = [pair for pair in _near_pairs(dataset, duplicates) if not pair.across]
    if not pairs:
        return None
    count = len({row for pair in pairs for row in pair.rows})
    return Finding(
        check="near-duplicates-within-splits",
        severity="note",
        title=f"{count:,} images have a near duplicate in their own split",
        count=count,
        why="They are less than that many different pictures: augmentation that the data came "
        "with. When a split is made afresh they may fall apart and leak.",
        what_to_do="Nothing, as long as the splits stay; else keep duplicates together.",
        figures={"pairs of pictures": len(pairs)},
        items=tuple(Item(images=refer(dataset, pair.rows), note=pair.note) for pair in pairs),
    )


def _conflicts(dataset: FaceDataset, duplicates: Duplicates) -> Finding | None:
    groups = [
        rows for rows in _groups(duplicates.identical) if len(np.unique(dataset.labels[rows])) > 1
    ]
    if not groups:
        return None
    count = sum(len(rows) for rows in groups)
    return Finding(
        check="conflicting-labels",
        severity="warning",
        title=f"{len(groups):,} groups of identical images have different labels",
        count=count,
        why="The same pixels cannot be two emotions: at least one label is wrong, and no network "
        "can learn both.",
        what_to_do="Let the votes or the majority decide, or drop them: mien data clean.",
        figures={"groups": len(groups), "images": count},
        items=tuple(Item(images=refer(dataset, rows)) for rows in groups),
    )


def _near_conflicts(dataset: FaceDataset, duplicates: Duplicates) -> Finding | None:
    pairs = [
        pair
        for pair in _near_pairs(dataset, duplicates)
        if len(np.unique(dataset.labels[pair.rows])) > 1
    ]
    everyone = len(duplicates.near)
    if not pairs:
        return None
    return Finding(
        check="conflicting-near-duplicates",
        severity="note",
        title=f"{len(pairs):,} of {everyone:,} pairs of near duplicates have different labels",
        count=len({row for pair in pairs for row in pair.rows}),
        why="They show the same face with the same expression: how often their labels differ tells "
        "how sure the labels are, and so how high an honest score can be.",
        what_to_do="Look at them; no network can be expected to agree with both.",
        figures={
            "pairs of pictures": len(pairs),
            "labels agree": round(1 - len(pairs) / everyone, 4),
        },
        items=tuple(Item(images=refer(dataset, pair.rows), note=pair.note) for pair in pairs),
    )


class _Pair:
    """One pair of near duplicates as images: of different splits if there are such."""

    def __init__(
        self, dataset: FaceDataset, firsts: Rows, seconds: Rows, near: NearDuplicates, at: int
    ):
        self.rows = [int(firsts[0]), int(seconds[0])]
        for first in firsts:
            for second in seconds:
                if dataset.splits[first] != dataset.splits[second]:
                    self.rows = [int(first), int(second)]
                    break
        self.across = dataset.splits[self.rows[0]] != dataset.splits[self.rows[1]]
        self.mirrored = bool(near.mirrored[at])
        self.rescaled = bool(near.scale[at] != 1)
        self.shifted = bool(np.abs(near.shifts[at]).max() >= 2)
        words = ["mirrored"] if self.mirrored else []
        words += [f"rescaled ×{near.scale[at]:.2f}"] if self.rescaled else []
        down, right = near.shifts[at]
        words += [f"shifted {down:+d}, {right:+d} px"] if down or right else []
        self.note = ", ".join([*words, f"correlation {near.correlation[at]:.2f}"])


def _near_pairs(dataset: FaceDataset, duplicates: Duplicates) -> Iterator[_Pair]:
    """Give the pairs of near duplicates, the most alike first."""
    order = np.argsort(duplicates.identical, kind="stable")
    ends = np.cumsum(np.bincount(duplicates.identical))
    members = [order[start:end] for start, end in pairwise([0, *ends])]
    for at in np.argsort(-duplicates.near.correlation, kind="stable"):
        firsts, seconds = members[duplicates.near.first[at]], members[duplicates.near.second[at]]
        yield _Pair(dataset, firsts, seconds, duplicates.near, int(at))


def _images_seen(dataset: FaceDataset, duplicates: Duplicates, kind: str) -> dict[str, int]:
    """Return how many images of each later split have a duplicate in an earlier one."""
    splits = list(dataset.split_counts())
    seen = {}
    for earlier, later in combinations(splits, 2):
        overlap = duplicates.among(dataset.splits == earlier)
        mask = getattr(overlap, kind) & (dataset.splits == later)
        words = {
            "identical": "identical image",
            "near": "near duplicate",
            "any": "duplicate of either kind",
        }
        seen[f"{later} images with {_article(words[kind])} in {earlier}"] = int(mask.sum())
    return seen


def _article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _split_numbers(dataset: FaceDataset) -> npt.NDArray[np.int64]:
    return np.array([SPLITS.index(str(split)) for split in dataset.splits], np.int64)


def _splits(dataset: FaceDataset, rows: Rows) -> int:
    return len(np.unique(dataset.splits[rows]))


def _groups(numbers: npt.NDArray[np.int64]) -> Iterator[Rows]:
    """Give the positions of every number that occurs more than once, in order of appearance."""
    order = np.argsort(numbers, kind="stable")
    edges = np.nonzero(np.diff(numbers[order]))[0] + 1
    groups = [rows for rows in np.split(order, edges) if len(rows) > 1]
    yield from sorted(groups, key=lambda rows: int(rows[0]))
