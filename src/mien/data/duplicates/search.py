"""Near duplicates: images that show the same picture, changed a little.

A near duplicate is mirrored, shifted by up to 3 px, rescaled by up to 10%, brightened, or stored
again with losses. What is compared is a difference of Gaussians, which keeps a picture's lines and
lets go of its light. Two steps: small embeddings of all images are compared in blocks of a matrix
product, in time N² but memory N; the few pairs that look alike are then laid over each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mien.images.crop import SIZE_PX, is_blank

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Progress = Callable[[float], None]

MIN_CORRELATION: Final = 0.90  # at which two pictures are called the same
MAX_SHIFT_PX: Final = 3

# A picture as an embedding. Thumbnails forgive small moves; the wider ones are tried.
_THUMBNAIL_PX: Final = SIZE_PX // 2
_THUMBNAIL_BLURS: Final = (1.0, 2.5)
_DIMENSIONS: Final = 64
_SAMPLE: Final = 4096  # images that the embedding's directions are taken from
_SHIFTS: Final = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))
_ZOOMS: Final = (0.92, 1.08)
_MIN_COSINE: Final = 0.78  # benchmarks/duplicates.py: what lower ones would find and cost
_MAX_CANDIDATES: Final = 64  # for one image: thousands of alike ones stay linked through these

# Two pictures laid over each other.
_BLURS: Final = (1.5, 4.0)
_SMALLER: Final = (0.95, 0.90)
_LARGER: Final = (1.05, 1.10)
_HOPELESS: Final = 0.65  # unscaled; none that a scale would have saved was seen below it
_MARGIN_PX: Final = (
    MAX_SHIFT_PX + 1
)  # one more than counts: a best fit out there is no near duplicate

_BLOCK: Final = 256
_WIDTH: Final = 4096
_WORKERS: Final = 2


@dataclass(frozen=True, eq=False)
class NearDuplicates:
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


def find_near_duplicates(
    images: Images, others: Images | None = None, *, progress: Progress | None = None
) -> NearDuplicates:
    """Find the pairs that show the same picture, identical ones included.

    An image whose gray levels hardly vary shows nothing, and has no near duplicates. Of more than
    64 that look like one image only the 64 most alike are compared with it.

    Args:
        images: uint8 (N, 48, 48).
        others: uint8 (M, 48, 48), among which the second of each pair is; by default ``images``
            themselves, and each pair is then found once, its first before its second.
        progress: is told how much of the work is done, 0 to 1.
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


class _Fit(NamedTuple):
    """How one picture lies best over another."""

    correlation: float
    scale: float
    shift: tuple[int, int]


class _Match(NamedTuple):
    first: int
    second: int
    mirrored: bool
    fit: _Fit


def _difference_of_gaussians(image: Floats, blurs: tuple[float, float]) -> Floats:
    fine, coarse = (
        cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REFLECT) for blur in blurs
    )
    return np.asarray(fine - coarse, np.float32)


def _rescale(image: Floats, scale: float) -> Floats:
    """Return an image rescaled about its middle, as large as before."""
    middle = (len(image) - 1) / 2
    move = cv2.getRotationMatrix2D((middle, middle), 0, scale)
    scaled = cv2.warpAffine(image, move, image.shape, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(scaled, np.float32)


class _Embedding:
    """All images of a pool as short vectors of length 1, whose product says how alike they look."""

    def __init__(self, pool: Images) -> None:
        self.directions = _directions(pool)
        blocks = [pool[start : start + _BLOCK] for start in range(0, len(pool), _BLOCK)]
        self.vectors = np.concatenate(
            [
                np.empty((0, self.directions.shape[1]), np.float32),
                *(self._project(_thumbnails(block)) for block in blocks),
            ]
        )

    def candidates(self, images: Images, after: int | None) -> tuple[Numbers, Numbers]:
        """Return which images look like which of the pool, as rows and columns.

        Args:
            images: of one block.
            after: where the block begins in the pool, if it is of the pool; only what comes after
                an image is then compared with it.
        """
        variants = [self._project(moved) for moved in _moved(_thumbnails(images))]
        # One tile after the other: the matrix product itself uses every core.
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

    def _project(self, thumbnails: Floats) -> Floats:
        return _normalise(_flatten(thumbnails) @ self.directions)

    def _alike(self, variants: list[Floats], start: int) -> tuple[Numbers, Numbers, Floats]:
        tile = self.vectors[start : start + _WIDTH].T
        highest = variants[0] @ tile
        product = np.empty_like(highest)
        for variant in variants[1:]:
            np.maximum(highest, np.matmul(variant, tile, out=product), out=highest)
        rows, columns = np.divmod(np.flatnonzero(highest > _MIN_COSINE), highest.shape[1])
        return rows, columns + start, highest[rows, columns]


def _thumbnails(images: Images) -> Floats:
    """Return thumbnails' differences of Gaussians. Shape: (n, 48, 48) -> (n, 24, 24).

    Those of images that show nothing are zero: they look like no other.
    """
    size = _THUMBNAIL_PX
    halved = images.reshape(-1, size, SIZE_PX // size, size, SIZE_PX // size)
    small = halved.mean((2, 4), dtype=np.float32)
    for image, blank in zip(small, is_blank(images), strict=True):
        image[:] = 0 if blank else _difference_of_gaussians(image, _THUMBNAIL_BLURS)
    return np.asarray(small, np.float32)


def _moved(thumbnails: Floats) -> Iterator[Floats]:
    """Give the thumbnails shifted and rescaled, as they are among them."""
    size = _THUMBNAIL_PX
    padded = np.pad(thumbnails, ((0, 0), (1, 1), (1, 1)), mode="edge")
    for down, right in _SHIFTS:
        yield padded[:, 1 - down : 1 - down + size, 1 - right : 1 - right + size]
    for zoom in _ZOOMS:
        rescaled = np.empty_like(thumbnails)
        for index, thumbnail in enumerate(thumbnails):
            rescaled[index] = _rescale(thumbnail, zoom)
        yield rescaled


def _directions(images: Images) -> Floats:
    """Return the principal directions of some of the images, moved. Shape: -> (576, 64)."""
    sample = images[:: max(1, -(-len(images) // _SAMPLE))]
    scatter = np.zeros((_THUMBNAIL_PX**2, _THUMBNAIL_PX**2), np.float64)
    for thumbnails in _moved(_thumbnails(sample)):
        flat = _flatten(thumbnails)
        scatter += flat.T @ flat
    return np.ascontiguousarray(np.linalg.eigh(scatter)[1][:, : -_DIMENSIONS - 1 : -1], np.float32)


def _flatten(thumbnails: Floats) -> Floats:
    flat = thumbnails.reshape(len(thumbnails), _THUMBNAIL_PX**2)
    return _normalise(flat - flat.mean(1, keepdims=True))


def _normalise(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)


def _picture(image: Images) -> Floats:
    return _difference_of_gaussians(image.astype(np.float32), _BLURS)


def _fit(template: Floats, image: Images) -> _Fit | None:
    """Align a picture with an image, shifted and rescaled; None if they are no near duplicates."""
    picture = _picture(image)
    best = unscaled = _overlay(template, picture, 1.0)
    if unscaled.correlation < _HOPELESS:
        return None
    for scales in (_SMALLER, _LARGER):
        last = unscaled
        for scale in scales:  # away from 1, while it gets better
            fit = _overlay(template, picture, scale)
            best = max(best, fit)
            if fit < last:
                break
            last = fit
    near = best.correlation >= MIN_CORRELATION and max(map(abs, best.shift)) <= MAX_SHIFT_PX
    return best if near else None


def _overlay(template: Floats, picture: Floats, scale: float) -> _Fit:
    """Return how a template fits best at one scale, among all shifts."""
    if scale != 1.0:
        template = _rescale(template, scale)
    inner = slice(_MARGIN_PX, SIZE_PX - _MARGIN_PX)
    correlations = cv2.matchTemplate(picture, template[inner, inner], cv2.TM_CCOEFF_NORMED)
    _, highest, _, (right, down) = cv2.minMaxLoc(correlations)
    return _Fit(float(highest), scale, (down - _MARGIN_PX, right - _MARGIN_PX))


def _chunks(rows: Numbers, columns: Numbers) -> Iterator[list[tuple[int, int]]]:
    """Give pairs a few thousand at a time: a queue of all of them would cost memory."""
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
