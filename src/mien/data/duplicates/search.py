"""Search for near duplicates: images that show the same picture with small changes.

A near duplicate is mirrored, shifted by up to 3 px, rescaled by up to 10%, brightened, or saved
again with losses. Images are compared by differences of Gaussians, which keep edges and remove
lighting. There are two steps: small embeddings of all images are compared by matrix products in
blocks, which take time N² but memory N; then the few similar pairs are aligned with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mien.images.crop import CropSpec, is_blank
from mien.types import Image, Images, Integers, Mask

_Float32s = npt.NDArray[np.float32]
Progress = Callable[[float], None]

SIDE_PX: Final = CropSpec.size_px  # of the images that are compared; lengths are in their pixels
MIN_CORRELATION: Final = 0.90  # of near duplicates, once aligned
MAX_SHIFT_PX: Final = 3

# Embeddings. Thumbnails tolerate small shifts; larger ones, and scales, are tried one by one.
_THUMBNAIL_PX: Final = SIDE_PX // 2
_THUMBNAIL_BLURS: Final = (1.0, 2.5)
_DIMENSIONS: Final = 64
_SAMPLE: Final = 4096  # images that the principal directions are computed from
_SHIFTS: Final = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))
_ZOOMS: Final = (0.92, 1.08)
_MIN_COSINE: Final = 0.78  # benchmarks/duplicates.py measures what lower thresholds find and cost
_MAX_CANDIDATES: Final = 64  # per image; more similar images stay linked through these

# Alignment of two images.
_BLURS: Final = (1.5, 4.0)
_SMALLER: Final = (0.95, 0.90)
_LARGER: Final = (1.05, 1.10)
# Correlation at scale 1 below which no measured pair was a near duplicate at another scale.
_MIN_UNSCALED: Final = 0.65
# One pixel more than near duplicates may be shifted by, so that a best fit beyond that limit is
# recognized.
_MARGIN_PX: Final = MAX_SHIFT_PX + 1

_BLOCK: Final = 256
_WIDTH: Final = 4096
_WORKERS: Final = 2


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Pairs of images that show the same picture with small changes.

    Shape: every array (P,), shifts (P, 2).

    Args:
        first: positions of the first image of each pair.
        second: positions of the second image, in the other set if two sets were compared.
        correlation: correlation of the aligned differences of Gaussians, at least 0.90.
        mirrored: True for pairs of which one image is the other mirrored left to right.
        scale: scale of the second image relative to the first.
        shifts: shift of the second image relative to the first, down and right, in pixels of the
            compared images.
    """

    first: Integers
    second: Integers
    correlation: _Float32s
    mirrored: Mask
    scale: _Float32s
    shifts: Integers

    def __len__(self) -> int:
        return len(self.first)


def find_near_duplicates(
    images: Images, others: Images | None = None, *, progress: Progress | None = None
) -> NearDuplicates:
    """Find the pairs of images that show the same picture, exact duplicates included.

    Blank images have no near duplicates. If more than 64 images are similar to one image, only the
    64 most similar are compared with it.

    Args:
        images: gray face crops, uint8 (N, SIDE_PX, SIDE_PX), the first of each pair; others are
            reduced by `mien.images.crop.to_gray`.
        others: gray face crops, uint8 (M, SIDE_PX, SIDE_PX), the second of each pair; None to
            compare `images` with themselves, which finds each pair once, in ascending order.
        progress: progress callback, called with the fraction done, 0 to 1.
    """
    found: dict[tuple[int, int], _Match] = {}
    pool = images if others is None else others
    embedding = _Embedding(pool)
    with ThreadPoolExecutor(_WORKERS) as workers:
        for start in range(0, len(images), _BLOCK):
            block = images[start : start + _BLOCK]
            after = start if others is None else None
            for mirrored in (False, True):
                turned = block[:, :, ::-1] if mirrored else block
                pictures = [_picture(image) for image in turned]
                for few in _chunks(*embedding.candidates(turned, after)):
                    fits = workers.map(
                        lambda pair: _fit(pictures[pair[0]], pool[pair[1]]),  # noqa: B023
                        few,
                    )
                    for (row, second), fit in zip(few, fits, strict=True):
                        pair = (start + row, second)
                        if fit and (pair not in found or fit > found[pair].fit):
                            found[pair] = _Match(*pair, mirrored, fit)
            if progress:
                left = 1 - (start + len(block)) / len(images)
                progress(1 - (left * left if others is None else left))
    return _near_duplicates(list(found.values()))


def no_near_duplicates() -> NearDuplicates:
    """Return no pairs at all."""
    return _near_duplicates([])


class _Fit(NamedTuple):
    """The best alignment of two images."""

    correlation: float
    scale: float
    shift: tuple[int, int]


class _Match(NamedTuple):
    first: int
    second: int
    mirrored: bool
    fit: _Fit


def _difference_of_gaussians(image: _Float32s, blurs: tuple[float, float]) -> _Float32s:
    fine, coarse = (
        cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REFLECT) for blur in blurs
    )
    return np.asarray(fine - coarse, np.float32)


def _rescale(image: _Float32s, scale: float) -> _Float32s:
    """Return an image rescaled about its centre, of the same size in pixels."""
    centre = (len(image) - 1) / 2
    move = cv2.getRotationMatrix2D((centre, centre), 0, scale)
    scaled = cv2.warpAffine(image, move, image.shape, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(scaled, np.float32)


class _Embedding:
    """Unit vectors of all images of a pool, whose products measure similarity."""

    def __init__(self, pool: Images) -> None:
        self.directions = _directions(pool)
        blocks = [pool[start : start + _BLOCK] for start in range(0, len(pool), _BLOCK)]
        self.vectors = np.concatenate(
            [
                np.empty((0, self.directions.shape[1]), np.float32),
                *(self._project(_thumbnails(block)) for block in blocks),
            ]
        )

    def candidates(self, images: Images, after: int | None) -> tuple[Integers, Integers]:
        """Return pairs of similar images, as positions in the block and in the pool.

        Args:
            images: a block of images.
            after: position of the block in the pool, if it is a part of the pool: each image is
                then compared only with those after it. None for images of another set.
        """
        variants = [self._project(moved) for moved in _moved(_thumbnails(images))]
        # One tile at a time: the matrix product itself uses every core.
        starts = range(after or 0, len(self.vectors), _WIDTH)
        tiles = [self._alike(variants, start) for start in starts]
        if not tiles:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        rows, columns, cosines = (np.concatenate(part) for part in zip(*tiles, strict=True))
        if after is not None:
            once = columns > rows + after
            rows, columns, cosines = rows[once], columns[once], cosines[once]
        order = np.lexsort((-cosines, rows))
        rank_in_row = np.arange(len(order)) - np.searchsorted(rows[order], rows[order])
        kept = order[rank_in_row < _MAX_CANDIDATES]
        return rows[kept], columns[kept]

    def _project(self, thumbnails: _Float32s) -> _Float32s:
        return _normalize(_flatten(thumbnails) @ self.directions)

    def _alike(self, variants: list[_Float32s], start: int) -> tuple[Integers, Integers, _Float32s]:
        tile = self.vectors[start : start + _WIDTH].T
        highest = variants[0] @ tile
        product = np.empty_like(highest)
        for variant in variants[1:]:
            np.maximum(highest, np.matmul(variant, tile, out=product), out=highest)
        rows, columns = np.divmod(np.flatnonzero(highest > _MIN_COSINE), highest.shape[1])
        return rows, columns + start, highest[rows, columns]


def _thumbnails(images: Images) -> _Float32s:
    """Return thumbnails' differences of Gaussians. Shape: (n, side, side) -> (n, side/2, side/2).

    Those of blank images are zero, so that no other image is similar to them.
    """
    size = _THUMBNAIL_PX
    halved = images.reshape(-1, size, SIDE_PX // size, size, SIDE_PX // size)
    small = halved.mean((2, 4), dtype=np.float32)
    for image, blank in zip(small, is_blank(images), strict=True):
        image[:] = 0 if blank else _difference_of_gaussians(image, _THUMBNAIL_BLURS)
    return np.asarray(small, np.float32)


def _moved(thumbnails: _Float32s) -> Iterator[_Float32s]:
    """Yield the thumbnails shifted and rescaled, including the unchanged ones."""
    size = _THUMBNAIL_PX
    padded = np.pad(thumbnails, ((0, 0), (1, 1), (1, 1)), mode="edge")
    for down, right in _SHIFTS:
        yield padded[:, 1 - down : 1 - down + size, 1 - right : 1 - right + size]
    for zoom in _ZOOMS:
        rescaled = np.empty_like(thumbnails)
        for index, thumbnail in enumerate(thumbnails):
            rescaled[index] = _rescale(thumbnail, zoom)
        yield rescaled


def _directions(images: Images) -> _Float32s:
    """Return principal directions of a sample, shifted and rescaled. Shape: -> (576, 64)."""
    sample = images[:: max(1, -(-len(images) // _SAMPLE))]
    scatter = np.zeros((_THUMBNAIL_PX**2, _THUMBNAIL_PX**2), np.float64)
    for thumbnails in _moved(_thumbnails(sample)):
        flat = _flatten(thumbnails)
        scatter += flat.T @ flat
    return np.ascontiguousarray(np.linalg.eigh(scatter)[1][:, : -_DIMENSIONS - 1 : -1], np.float32)


def _flatten(thumbnails: _Float32s) -> _Float32s:
    flat = thumbnails.reshape(len(thumbnails), _THUMBNAIL_PX**2)
    return _normalize(flat - flat.mean(1, keepdims=True))


def _normalize(vectors: _Float32s) -> _Float32s:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)


def _picture(image: Image) -> _Float32s:
    return _difference_of_gaussians(image.astype(np.float32), _BLURS)


def _fit(template: _Float32s, image: Image) -> _Fit | None:
    """Return the best alignment of two images; None if they are not near duplicates."""
    picture = _picture(image)
    best = unscaled = _overlay(template, picture, 1.0)
    if unscaled.correlation < _MIN_UNSCALED:
        return None
    for scales in (_SMALLER, _LARGER):
        last = unscaled
        for scale in scales:  # away from 1, as long as the fit improves
            fit = _overlay(template, picture, scale)
            best = max(best, fit)
            if fit < last:
                break
            last = fit
    near = best.correlation >= MIN_CORRELATION and max(map(abs, best.shift)) <= MAX_SHIFT_PX
    return best if near else None


def _overlay(template: _Float32s, picture: _Float32s, scale: float) -> _Fit:
    """Return the best alignment of a template at one scale, among all shifts."""
    if scale != 1.0:
        template = _rescale(template, scale)
    inner = slice(_MARGIN_PX, SIDE_PX - _MARGIN_PX)
    correlations = cv2.matchTemplate(picture, template[inner, inner], cv2.TM_CCOEFF_NORMED)
    _, highest, _, (right, down) = cv2.minMaxLoc(correlations)
    return _Fit(float(highest), scale, (down - _MARGIN_PX, right - _MARGIN_PX))


def _chunks(rows: Integers, columns: Integers) -> Iterator[list[tuple[int, int]]]:
    """Yield pairs a few thousand at a time: a queue of all of them would take memory."""
    for start in range(0, len(rows), _WIDTH):
        few = slice(start, start + _WIDTH)
        yield list(zip(rows[few].tolist(), columns[few].tolist(), strict=True))


def _near_duplicates(matches: list[_Match]) -> NearDuplicates:
    return NearDuplicates(
        first=np.array([match.first for match in matches], np.int64),
        second=np.array([match.second for match in matches], np.int64),
        correlation=np.array([match.fit.correlation for match in matches], np.float32),
        mirrored=np.array([match.mirrored for match in matches], bool),
        scale=np.array([match.fit.scale for match in matches], np.float32),
        shifts=np.array([match.fit.shift for match in matches], np.int64).reshape(-1, 2),
    )
