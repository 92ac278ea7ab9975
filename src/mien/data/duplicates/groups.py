"""Exact and near duplicates among images: groups, closest duplicates, overlap of two sets.

Exact duplicates are identical pixel for pixel; near duplicates show the same picture with small
changes, and are searched for in gray and at one size, whatever the crops of the data set. A search
among tens of thousands of images takes seconds, so results are kept in the user's cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.data import cache
from mien.data.duplicates.alignment import SIDE_PX
from mien.data.duplicates.search import (
    NearDuplicates,
    Progress,
    find_near_duplicates,
    no_near_duplicates,
)
from mien.errors import MienError, install_hint
from mien.images.crop import RELEASE_EVERY, to_gray
from mien.io.files import cache_dir
from mien.io.mapped import RowsFile, release_pages
from mien.types import Images, Integers, Mask, Strings

# Part of every key: raise it when the search finds other duplicates, so that old entries are not
# read.
_VERSION: Final = 3


@dataclass(frozen=True, eq=False)
class Duplicates:
    """All duplicates within a set of images.

    A picture is a set of exact duplicates, or a single image without any.

    Args:
        exact: picture number of each image, counted from 0 in the order of first appearance.
            Shape: (N,).
        near: near duplicates, as pairs of picture numbers.
    """

    exact: Integers
    near: NearDuplicates

    @cached_property
    def groups(self) -> Integers:
        """Group number of each image; linked duplicates share one. Shape: (N,)."""
        count = int(self.exact.max(initial=-1)) + 1
        return _linked(count, self.near.first, self.near.second)[self.exact]

    def among(self, others: Mask) -> Overlap:
        """Return which images have a duplicate, other than themselves, among some of the images.

        Args:
            others: mask of the images to search. Shape: (N,).
        """
        members = np.bincount(self.exact[others], minlength=self.exact.max(initial=0) + 1)
        exact = members[self.exact] > others
        near = np.zeros(len(members), bool)
        near[self.near.first[members[self.near.second] > 0]] = True
        near[self.near.second[members[self.near.first] > 0]] = True
        return Overlap(exact, near[self.exact] & ~exact)

    def nearest(self, others: Mask) -> Integers:
        """Return the position of each image's closest duplicate among some of the images.

        An exact duplicate is closer than a near one; among exact duplicates the first is returned.

        Args:
            others: mask of the images to search. Shape: (N,).

        Returns:
            Positions, -1 for an image without a duplicate there. Shape: (N,).
        """
        (rows,) = np.nonzero(others)
        first = np.full(int(self.exact.max(initial=-1)) + 1, -1)
        first[self.exact[rows[::-1]]] = rows[::-1]  # reversed: the last assignment wins
        duplicates = np.full(len(first), -1)
        order = np.argsort(self.near.correlation, kind="stable")
        ends = (self.near.first[order], self.near.second[order])
        pictures, theirs = (np.stack(pair, 1).ravel() for pair in (ends, ends[::-1]))
        there = first[theirs] >= 0
        duplicates[pictures[there]] = first[theirs[there]]
        duplicates = np.where(first >= 0, first, duplicates)
        return np.asarray(duplicates[self.exact], np.int64)

    def across(self, splits: Strings) -> Overlap:
        """Return which images have a duplicate in another split.

        Args:
            splits: name of each image's split. Shape: (N,).
        """
        exact, near = (np.zeros(len(splits), bool) for _ in range(2))
        for split in np.unique(splits):
            inside = splits == split
            overlap = self.among(~inside)
            exact[inside], near[inside] = overlap.exact[inside], overlap.near[inside]
        return Overlap(exact, near)


@dataclass(frozen=True, eq=False)
class Overlap:
    """Masks of the images that have a duplicate in another set. Shape: (N,) each.

    Args:
        exact: images with an exact duplicate there.
        near: other images with a near duplicate there.
    """

    exact: Mask
    near: Mask

    @property
    def any(self) -> Mask:
        """Images with a duplicate of either kind there."""
        return self.exact | self.near


def group_exact(images: Images) -> Integers:
    """Return the picture number of each image, the same for exact duplicates.

    Shape: uint8 (N, *crop.shape) -> int64 (N,), counted from 0 in the order of first appearance.
    """
    return _number(_digests(images))[0]


def find_duplicates(
    images: Images, *, exact_only: bool = False, progress: Progress | None = None
) -> Duplicates:
    """Find all duplicates within a set of images; their order does not matter.

    Args:
        images: face crops, uint8 (N, *crop.shape).
        exact_only: True to leave out near duplicates, as for drawn faces, most of which are near
            duplicates of each other.
        progress: progress callback, called with the fraction done, 0 to 1.
    """
    exact, firsts = _number(_digests(images))
    if exact_only:
        return Duplicates(exact, no_near_duplicates())
    order = exact[firsts]
    pictures = _pictures(images, firsts)
    key = _key("within", pictures)
    if (kept := cache.load_arrays(key)) is not None:
        near = NearDuplicates(**kept)
    else:
        near = find_near_duplicates(pictures, progress=progress)
        cache.save_arrays(key, vars(near))
    return Duplicates(exact, replace(near, first=order[near.first], second=order[near.second]))


def find_overlap(
    images: Images,
    others: Images,
    *,
    exact_only: bool = False,
    progress: Progress | None = None,
) -> Overlap:
    """Find the images of one set that have a duplicate in another.

    Args:
        images: face crops to search for, uint8 (N, *crop.shape).
        others: face crops to search, uint8 (M, *crop.shape).
        exact_only: True to leave out near duplicates, as for drawn faces.
        progress: progress callback, called with the fraction done, 0 to 1.
    """
    key = _key("exact between" if exact_only else "between", images, others)
    if (kept := cache.load_arrays(key)) is not None:
        return Overlap(**kept)
    exact = np.isin(_digests(images), _digests(others))
    near = np.zeros(len(images), bool)
    if not exact_only:
        (rest,) = np.nonzero(~exact)
        searched, pool = _pictures(images, rest), _pictures(others)
        pairs = find_near_duplicates(searched, pool, progress=progress)
        near[rest[pairs.first]] = True
    overlap = Overlap(exact, near)
    cache.save_arrays(key, vars(overlap))
    return overlap


def repeated(numbers: Integers, among: Mask | None = None) -> list[Integers]:
    """Return the positions of each number that occurs more than once.

    Args:
        numbers: a number for each image. Shape: (N,).
        among: mask of the images to search; None for all. Shape: (N,).

    Returns:
        Ascending positions of each repeated number, in the order of first appearance.
    """
    positions = np.arange(len(numbers)) if among is None else np.flatnonzero(among)
    order = positions[np.argsort(numbers[positions], kind="stable")]
    edges = np.flatnonzero(np.diff(numbers[order])) + 1
    groups = [group for group in np.split(order, edges) if len(group) > 1]
    return sorted(groups, key=lambda group: int(group[0]))


def _digests(images: Images) -> npt.NDArray[np.bytes_]:
    digests = np.empty(len(images), "S32")  # NumPy strips final zeros of both sides it compares
    rows = (image for block in _blocks(images) for image in block)
    for row, image in enumerate(rows):
        digests[row] = hashlib.sha256(image.tobytes()).digest()
    return digests


def _number(digests: npt.NDArray[np.bytes_]) -> tuple[Integers, Integers]:
    """Return the number of each image, and the first image of each digest, in order of digests."""
    _, firsts, inverse = np.unique(digests, return_index=True, return_inverse=True)
    numbers = np.empty(len(firsts), np.int64)
    numbers[np.argsort(firsts)] = np.arange(len(firsts))
    return numbers[inverse], firsts


def _pictures(images: Images, rows: Integers | None = None) -> Images:
    """Return images, or some, in gray and at the compared size; many copies are kept in a file."""
    if rows is None and images.shape[1:] == (SIDE_PX, SIDE_PX):
        return images
    rows = np.arange(len(images)) if rows is None else rows
    pictures = RowsFile((SIDE_PX, SIDE_PX), cache_dir())
    for start in range(0, len(rows), RELEASE_EVERY):
        pictures.add(to_gray(images[rows[start : start + RELEASE_EVERY]], SIDE_PX))
        release_pages(images)
    return pictures.finish()


def _blocks(images: Images) -> Iterator[Images]:
    """Yield the images a block at a time, which keeps those of a mapped file out of memory."""
    for start in range(0, len(images), RELEASE_EVERY):
        yield images[start : start + RELEASE_EVERY]
        release_pages(images)


def _key(kind: str, *sets: Images) -> str:
    digest = hashlib.sha256(repr((_VERSION, kind)).encode())
    for images in sets:
        if images.shape[1:] != (SIDE_PX, SIDE_PX):  # the same bytes are other images
            digest.update(repr(images.shape).encode())
        for block in _blocks(images):
            digest.update(np.ascontiguousarray(block).data)
    return f"duplicates-{digest.hexdigest()[:32]}"


def _linked(count: int, first: Integers, second: Integers) -> Integers:
    """Return the connected component of each of `count` nodes, linked by pairs."""
    try:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
    except ImportError as error:
        raise MienError(f"linking duplicates needs scipy: {install_hint('scipy')}") from error
    links = coo_array((np.ones(len(first), bool), (first, second)), (count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)
