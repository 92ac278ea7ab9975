"""Duplicates: images that show the same picture, pixel for pixel or changed a little.

Searching tens of thousands of images takes seconds, so what was found is kept in the user's cache.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.data import cache
from mien.data.duplicates.search import (
    Images,
    NearDuplicates,
    Numbers,
    Progress,
    find_near_duplicates,
)
from mien.errors import MienError

Mask = npt.NDArray[np.bool_]

# Part of every key: raise it when the search finds other duplicates, and old entries are never
# read.
_VERSION: Final = 1


@dataclass(frozen=True, eq=False)
class Duplicates:
    """All duplicates within a set of images.

    Args:
        identical: a number for each image, the same for images identical pixel for pixel, counted
            from 0 in the order of first appearance. Shape: (N,).
        near: pairs of those numbers, for near duplicates: between different pictures only.
    """

    identical: Numbers
    near: NearDuplicates

    @cached_property
    def groups(self) -> Numbers:
        """A number for each image, the same for all that are linked by duplicates. Shape: (N,)."""
        count = int(self.identical.max(initial=-1)) + 1
        return _linked(count, self.near.first, self.near.second)[self.identical]

    def among(self, others: Mask) -> Overlap:
        """Return which images have a duplicate among ``others``, a subset of them. Shape: (N,).

        An image is not its own duplicate.
        """
        members = np.bincount(self.identical[others], minlength=self.identical.max(initial=0) + 1)
        identical = members[self.identical] > others
        near = np.zeros(len(members), bool)
        near[self.near.first[members[self.near.second] > 0]] = True
        near[self.near.second[members[self.near.first] > 0]] = True
        return Overlap(identical, near[self.identical] & ~identical)

    def nearest(self, others: Mask) -> Numbers:
        """Return each image's duplicate among ``others`` that is most alike, -1 where it has none.

        Identical ones come before near ones, and of identical ones the first. Shape: (N,).
        """
        (rows,) = np.nonzero(others)
        first = np.full(int(self.identical.max(initial=-1)) + 1, -1)
        first[self.identical[rows[::-1]]] = rows[::-1]  # of several values the last one stays
        duplicates = np.full(len(first), -1)
        order = np.argsort(self.near.correlation, kind="stable")
        ends = (self.near.first[order], self.near.second[order])
        pictures, theirs = (np.stack(pair, 1).ravel() for pair in (ends, ends[::-1]))
        there = first[theirs] >= 0
        duplicates[pictures[there]] = first[theirs[there]]
        duplicates = np.where(first >= 0, first, duplicates)
        return np.asarray(duplicates[self.identical], np.int64)

    def across(self, splits: npt.NDArray[np.str_]) -> Overlap:
        """Return which images have a duplicate in another split than their own. Shape: (N,)."""
        identical, near = (np.zeros(len(splits), bool) for _ in range(2))
        for split in np.unique(splits):
            inside = splits == split
            overlap = self.among(~inside)
            identical[inside], near[inside] = overlap.identical[inside], overlap.near[inside]
        return Overlap(identical, near)


@dataclass(frozen=True, eq=False)
class Overlap:
    """Which images have a duplicate somewhere else. Shape: (N,) each; no image is in both.

    Args:
        identical: those that stand there pixel for pixel.
        near: the others that stand there changed a little.
    """

    identical: Mask
    near: Mask

    @property
    def any(self) -> Mask:
        """Those that stand there at all."""
        return self.identical | self.near


def group_identical(images: Images) -> Numbers:
    """Return a number for each image, the same for images that are the same pixel for pixel.

    Shape: uint8 (N, 48, 48) -> int64 (N,), counted from 0 in the order of first appearance.
    """
    numbers: dict[bytes, int] = {}
    return np.array(
        [numbers.setdefault(digest, len(numbers)) for digest in _digests(images)], np.int64
    )


def find_duplicates(images: Images, *, progress: Progress | None = None) -> Duplicates:
    """Find all duplicates within a set of images: the same ones in whatever order they come.

    Args:
        images: uint8 (N, 48, 48).
        progress: is told how much of the work is done, 0 to 1.
    """
    identical = group_identical(images)
    _, firsts = np.unique(identical, return_index=True)
    digests = _digests(images[firsts])
    order = np.array(sorted(range(len(firsts)), key=digests.__getitem__), np.int64)
    pictures = images[firsts[order]]
    key = _key("within", pictures)
    if (kept := cache.load_arrays(key)) is not None:
        near = NearDuplicates(**kept)
    else:
        near = find_near_duplicates(pictures, progress=progress)
        cache.save_arrays(key, vars(near))
    return Duplicates(identical, replace(near, first=order[near.first], second=order[near.second]))


def find_overlap(images: Images, others: Images, *, progress: Progress | None = None) -> Overlap:
    """Find which images have a duplicate among others.

    Args:
        images: uint8 (N, 48, 48).
        others: uint8 (M, 48, 48).
        progress: is told how much of the work is done, 0 to 1.
    """
    key = _key("between", images, others)
    if (kept := cache.load_arrays(key)) is not None:
        return Overlap(**kept)
    known = set(_digests(others))
    identical = np.array([digest in known for digest in _digests(images)], bool)
    (rest,) = np.nonzero(~identical)
    near = np.zeros(len(images), bool)
    near[rest[find_near_duplicates(images[rest], others, progress=progress).first]] = True
    cache.save_arrays(key, {"identical": identical, "near": near})
    return Overlap(identical, near)


def _digests(images: Images) -> list[bytes]:
    return [hashlib.sha256(image.tobytes()).digest() for image in images]


def _key(what: str, *sets: Images) -> str:
    digest = hashlib.sha256(repr((_VERSION, what)).encode())
    for images in sets:
        digest.update(np.ascontiguousarray(images).data)
    return f"duplicates-{digest.hexdigest()[:32]}"


def _linked(count: int, first: Numbers, second: Numbers) -> Numbers:
    """Return a number for each of ``count`` things, the same for all that pairs link."""
    try:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
    except ImportError as error:
        raise MienError("linking duplicates needs scipy: pip install 'mien[train]'") from error
    links = coo_array((np.ones(len(first), bool), (first, second)), (count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)
