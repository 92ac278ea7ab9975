"""Twins: images that show the same picture, pixel for pixel or changed a little.

A near twin is mirrored, shifted by up to 3 px, rescaled by up to 10%, brightened, or stored again
with losses. What is compared is a difference of Gaussians, which keeps a picture's lines and lets
go of its light. Two steps: small embeddings of all images are compared in blocks of a matrix
product, in time N² but memory N; the few pairs that look alike are then laid over each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.data.pixels import SIZE_PX
from mien.errors import MienError

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Progress = Callable[[float], None]

MIN_CORRELATION: Final = 0.90  # at which two pictures are called the same
MAX_SHIFT_PX: Final = 3

# A picture as an embedding. Thumbnails forgive small moves; the wider ones are tried.
_THUMBNAIL_PX: Final = SIZE_PX // 2
_THUMBNAIL_BLURS: Final = (1.0, 2.5)
_DIMENSIONS: Final = 96
_SAMPLE: Final = 4096  # images that the embedding's directions are taken from
_SHIFTS: Final = ((0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))  # of thumbnails: 2 px of the image
_ZOOMS: Final = (0.92, 1.08)
_MIN_COSINE: Final = 0.76  # benchmarks/twins.py: what lower ones would find and cost
_MAX_CANDIDATES: Final = 64  # for one image: thousands of alike ones stay linked through these

# Two pictures laid over each other.
_BLURS: Final = (1.5, 4.0)
_SMALLER: Final = (0.95, 0.90)
_LARGER: Final = (1.05, 1.10)
_HOPELESS: Final = 0.65  # unscaled; none that a scale would have saved was seen below it
_MARGIN: Final = MAX_SHIFT_PX + 1  # one more than counts: a best fit out there is no near twin
_FLAT: Final = 1.0  # gray levels of standard deviation below which there is no picture to compare

_BLOCK: Final = 1024
_WIDTH: Final = 4096
_WORKERS: Final = 2


@dataclass(frozen=True, eq=False)
class NearTwins:
    """Pairs of images that show the same picture but for small changes.

    Shape: every array (P,), shifts (P, 2): down and to the right, in pixels.

    Args:
        first: positions of the one image.
        second: positions of the other; of the same images unless two sets were compared.
        correlation: of their differences of Gaussians once laid over each other, at least 0.90.
        mirrored: whether the one is mirrored left to right in the other.
        scale: of the other against the one.
        shifts: of the other against the one.
    """

    first: Numbers
    second: Numbers
    correlation: Floats
    mirrored: npt.NDArray[np.bool_]
    scale: Floats
    shifts: Numbers

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, eq=False)
class Twins:
    """All twins within a set of images.

    Args:
        identical: a number for each image, the same for images identical pixel for pixel, counted
            from 0 in the order of first appearance. Shape: (N,).
        near: pairs of those numbers, for near twins: between different pictures only.
    """

    identical: Numbers
    near: NearTwins

    @cached_property
    def groups(self) -> Numbers:
        """A number for each image, the same for all that are linked by twins. Shape: (N,)."""
        count = int(self.identical.max(initial=-1)) + 1
        return _linked(count, self.near.first, self.near.second)[self.identical]

    def seen_in(self, others: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], ...]:
        """Return which images have an identical image, and which any twin, among ``others``.

        Shape: (N,) bool -> (N,) bool and (N,) bool. An image among ``others`` is not its own twin.
        """
        members = np.bincount(self.identical[others], minlength=int(self.identical.max()) + 1)
        identical = members[self.identical] > others
        near = np.zeros(len(members), bool)
        np.logical_or.at(near, self.near.first, members[self.near.second] > 0)
        np.logical_or.at(near, self.near.second, members[self.near.first] > 0)
        return identical, identical | near[self.identical]


def group_identical(images: Images) -> Numbers:
    """Return a number for each image, the same for images that are the same pixel for pixel.

    Shape: uint8 (N, 48, 48) -> int64 (N,), counted from 0 in the order of first appearance.
    """
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(digest, len(numbers)) for digest in digests], np.int64)


def find_twins(images: Images, *, progress: Progress | None = None) -> Twins:
    """Find all twins within a set of images.

    Args:
        images: any number of them.
        progress: is told how much of the work is done, 0 to 1.

    Shape: images uint8 (N, 48, 48).
    """
    identical = group_identical(images)
    _, firsts = np.unique(identical, return_index=True)
    near = find_near_twins(images[firsts], progress=progress)
    return Twins(identical, near)


def find_near_twins(
    images: Images, others: Images | None = None, *, progress: Progress | None = None
) -> NearTwins:
    """Find the pairs that show the same picture, identical ones included.

    An image whose gray levels hardly vary shows nothing, and has no near twins.

    Args:
        images: uint8 (N, 48, 48).
        others: uint8 (M, 48, 48), among which the second of each pair is; by default ``images``
            themselves, and each pair is then found once, its first before its second.
        progress: is told how much of the work is done, 0 to 1.
    """
    pool = images if others is None else others
    tell = progress or (lambda _: None)
    if len(images) == 0 or len(pool) == 0:
        return _near_twins([])
    basis = _directions(pool)
    embedded = np.concatenate(
        [_embed(_thumbnails(pool[i : i + _BLOCK]), basis) for i in range(0, len(pool), _BLOCK)]
    )
    found: list[_Match] = []
    starts = range(0, len(images), _BLOCK)
    with ThreadPoolExecutor(_WORKERS) as workers:
        for start in starts:
            blocks = images[start : start + _BLOCK]
            variants = _variants(blocks, basis)
            pictures = [_picture(image) for image in blocks]
            first = start if others is None else 0  # what lies before was compared already
            tiles = range(first, len(pool), _WIDTH)
            pairs = workers.map(lambda tile: _alike(variants, embedded, tile), tiles)  # noqa: B023
            rows, columns, cosines = (np.concatenate(part) for part in zip(*pairs, strict=True))
            if others is None:
                once = columns > rows + start
                rows, columns, cosines = rows[once], columns[once], cosines[once]
            for few in _chunks(_best_of_each(rows, cosines)):
                compared = workers.map(
                    lambda at: _compare(pictures, start, rows[at], pool, columns[at]),  # noqa: B023
                    few,
                )
                found += [match for match in compared if match is not None]
            tell(_share_done(start + len(blocks), len(images), others is None))
    return _near_twins(found)


def _share_done(done: int, count: int, triangle: bool) -> float:
    left = 1 - done / count
    return 1 - left * left if triangle else done / count


def _difference_of_gaussians(image: Floats, blurs: tuple[float, float]) -> Floats:
    fine, coarse = (
        cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REFLECT) for blur in blurs
    )
    return np.asarray(fine - coarse, np.float32)


def _thumbnails(images: Images) -> Floats:
    """Return thumbnails' differences of Gaussians. Shape: (n, 48, 48) -> (n, 24, 24).

    Those of images that show nothing are zero: they look like no other.
    """
    size = _THUMBNAIL_PX
    halved = images.reshape(-1, size, SIZE_PX // size, size, SIZE_PX // size)
    small = halved.mean((2, 4), dtype=np.float32)
    shows = small.std((1, 2)) >= _FLAT
    return np.stack(
        [
            _difference_of_gaussians(image, _THUMBNAIL_BLURS) * show
            for image, show in zip(small, shows, strict=True)
        ]
    )


def _moved(thumbnails: Floats) -> Iterator[Floats]:
    """Give the thumbnails as they are, shifted and rescaled, each mirrored as well."""
    size = _THUMBNAIL_PX
    padded = np.pad(thumbnails, ((0, 0), (1, 1), (1, 1)), mode="edge")
    for down, right in _SHIFTS:
        shifted = padded[:, 1 - down : 1 - down + size, 1 - right : 1 - right + size]
        yield shifted
        yield shifted[:, :, ::-1]
    for zoom in _ZOOMS:
        rescaled = np.stack([_rescale(thumbnail, zoom) for thumbnail in thumbnails])
        yield rescaled
        yield rescaled[:, :, ::-1]


def _rescale(image: Floats, scale: float) -> Floats:
    """Return an image rescaled about its middle, as large as before."""
    middle = (len(image) - 1) / 2
    move = cv2.getRotationMatrix2D((middle, middle), 0, scale)
    scaled = cv2.warpAffine(image, move, image.shape, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(scaled, np.float32)


def _normalise(vectors: Floats) -> Floats:
    return np.asarray(
        vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6), np.float32
    )


def _flatten(thumbnails: Floats) -> Floats:
    flat = thumbnails.reshape(len(thumbnails), -1)
    return _normalise(flat - flat.mean(1, keepdims=True))


def _directions(images: Images) -> Floats:
    """Return the principal directions of some of the images, moved. Shape: -> (576, 96)."""
    sample = images[:: -(-len(images) // _SAMPLE)]
    scatter = np.zeros((_THUMBNAIL_PX**2, _THUMBNAIL_PX**2), np.float64)
    for thumbnails in _moved(_thumbnails(sample)):
        flat = _flatten(thumbnails)
        scatter += flat.T @ flat
    return np.ascontiguousarray(np.linalg.eigh(scatter)[1][:, : -_DIMENSIONS - 1 : -1], np.float32)


def _embed(thumbnails: Floats, basis: Floats) -> Floats:
    return _normalise(_flatten(thumbnails) @ basis)


def _variants(images: Images, basis: Floats) -> list[Floats]:
    thumbnails = _thumbnails(images)
    return [_embed(moved, basis) for moved in _moved(thumbnails)]


def _alike(variants: list[Floats], embedded: Floats, start: int) -> tuple[Numbers, Numbers, Floats]:
    """Return rows, columns and the highest cosine of what looks alike in one tile."""
    tile = embedded[start : start + _WIDTH].T
    highest = variants[0] @ tile
    product = np.empty_like(highest)
    for variant in variants[1:]:
        np.maximum(highest, np.matmul(variant, tile, out=product), out=highest)
    rows, columns = np.divmod(np.flatnonzero(highest > _MIN_COSINE), highest.shape[1])
    return rows, columns + start, highest[rows, columns]


def _best_of_each(rows: Numbers, cosines: Floats) -> Numbers:
    """Return positions in ``rows``: all, but of a row with very many only the most alike."""
    order = np.lexsort((-cosines, rows))
    begins = np.searchsorted(rows[order], rows[order])
    return order[np.arange(len(order)) - begins < _MAX_CANDIDATES]


@dataclass(frozen=True)
class _Match:
    first: int
    second: int
    correlation: float
    mirrored: bool
    scale: float
    shift: tuple[int, int]


def _picture(image: Images) -> Floats:
    return _difference_of_gaussians(image.astype(np.float32), _BLURS)


def _compare(
    pictures: list[Floats], start: int, row: int, others: Images, second: int
) -> _Match | None:
    """Lay two pictures over each other, mirrored or not, shifted and rescaled."""
    one, other, first = pictures[row], _picture(others[second]), start + row
    best: _Match | None = None
    for mirrored in (False, True):
        template = np.ascontiguousarray(one[:, ::-1]) if mirrored else one
        unscaled = _overlay(template, other, 1.0)
        tried = {1.0: unscaled}
        for scales in (_SMALLER, _LARGER) if unscaled[0] >= _HOPELESS else ():
            highest = unscaled[0]
            for scale in scales:  # away from 1, while it gets better
                tried[scale] = _overlay(template, other, scale)
                if tried[scale][0] <= highest:
                    break
                highest = tried[scale][0]
        scale, (correlation, shift) = max(tried.items(), key=lambda item: item[1][0])
        if correlation >= (best.correlation if best else MIN_CORRELATION):
            best = _Match(first, second, correlation, mirrored, scale, shift)
    return best if best and max(map(abs, best.shift)) <= MAX_SHIFT_PX else None


def _overlay(template: Floats, picture: Floats, scale: float) -> tuple[float, tuple[int, int]]:
    """Return the highest correlation over all shifts, and the shift."""
    if scale != 1.0:
        template = _rescale(template, scale)
    inner = slice(_MARGIN, SIZE_PX - _MARGIN)
    correlations = cv2.matchTemplate(picture, template[inner, inner], cv2.TM_CCOEFF_NORMED)
    down, right = np.unravel_index(int(correlations.argmax()), correlations.shape)
    return float(correlations.max()), (int(down) - _MARGIN, int(right) - _MARGIN)


def _chunks(positions: Numbers) -> Iterator[list[int]]:
    """Give positions a few thousand at a time: a queue of all of them would cost memory."""
    for start in range(0, len(positions), _WIDTH):
        yield positions[start : start + _WIDTH].tolist()


def _near_twins(matches: list[_Match]) -> NearTwins:
    return NearTwins(
        first=np.array([match.first for match in matches], np.int64),
        second=np.array([match.second for match in matches], np.int64),
        correlation=np.array([match.correlation for match in matches], np.float32),
        mirrored=np.array([match.mirrored for match in matches], bool),
        scale=np.array([match.scale for match in matches], np.float32),
        shifts=np.array([match.shift for match in matches], np.int64).reshape(-1, 2),
    )


def _linked(count: int, first: Numbers, second: Numbers) -> Numbers:
    """Return a number for each of ``count`` things, the same for all that pairs link."""
    try:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
    except ImportError as error:
        raise MienError("finding twins needs scipy: pip install 'mien[train]'") from error
    links = coo_array((np.ones(len(first), bool), (first, second)), (count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)
