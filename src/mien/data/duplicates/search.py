"""Search for near duplicates: images that show the same picture with small changes.

A near duplicate is mirrored, shifted by up to 3 px, rescaled by up to 10%, brightened, or saved
again with losses. There are two steps: an index of embeddings finds similar images, in time about
N√N; then the few similar pairs are aligned with each other. Memory holds about 150 bytes of each
image, and the candidates of a few blocks of images, however many pairs there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.data.duplicates.alignment import Fit, Float32s, filter_image, fit_images
from mien.data.duplicates.embedding import DIMENSIONS, VARIANTS, Embedding
from mien.data.duplicates.index import Index
from mien.io.files import cache_dir
from mien.io.mapped import RowsFile, release_pages
from mien.io.threads import one_blas_thread
from mien.types import Images, Integers, Mask

Progress = Callable[[float], None]

_MIN_COSINE: Final = 0.70  # benchmarks/duplicates.py measures what lower thresholds find and cost
_MAX_CANDIDATES: Final = 64  # per image; more similar images stay linked through these
_BLOCK: Final = 1024  # images
_MOST_SIMILAR: Final = 1 << 20  # similar pairs that are gathered before the most similar are kept
_MOST_WORKERS: Final = 8  # each takes up to 100 MB

_PAIR: Final = np.dtype(
    [
        ("first", np.int64),
        ("second", np.int64),
        ("correlation", np.float32),
        ("scale", np.float32),
        ("shifts", np.int8, 2),
        ("mirrored", bool),
    ]
)


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
    correlation: Float32s
    mirrored: Mask
    scale: Float32s
    shifts: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.first)

    def take(self, where: Integers | Mask) -> NearDuplicates:
        """Return some of the pairs, by position or mask."""
        return NearDuplicates(**{name: values[where] for name, values in vars(self).items()})


def find_near_duplicates(
    images: Images, others: Images | None = None, *, progress: Progress | None = None
) -> NearDuplicates:
    """Find the pairs of images that show the same picture, exact duplicates included.

    Blank images have no near duplicates. If more than 64 images are similar to one image, only the
    64 most similar are compared with it. Many pairs are kept in a file without a name.

    Args:
        images: gray face crops, uint8 (N, SIDE_PX, SIDE_PX), the first of each pair; others are
            reduced by `mien.images.crop.to_gray`.
        others: gray face crops, uint8 (M, SIDE_PX, SIDE_PX), the second of each pair; None to
            compare `images` with themselves, which finds each pair once, in ascending order.
        progress: progress callback, called with the fraction done, 0 to 1.
    """
    pool = images if others is None else others
    if not len(images) or not len(pool):
        return no_near_duplicates()
    with one_blas_thread():  # the workers use every core
        return _search(images, pool, within=others is None, progress=progress or (lambda _: None))


def no_near_duplicates() -> NearDuplicates:
    """Return no pairs at all."""
    return _near_duplicates(np.empty(0, _PAIR))


def _search(images: Images, pool: Images, *, within: bool, progress: Progress) -> NearDuplicates:
    embedding = Embedding(pool)
    index = Index(_embed(embedding, pool))

    def search(start: int) -> npt.NDArray[np.void]:
        block = images[start : start + _BLOCK]
        variants = embedding.embed_variants(block)
        pairs = _align(block, pool, *_candidates(index, variants, start if within else None))
        pairs["first"] += start
        return pairs

    found = RowsFile((_PAIR.itemsize,), cache_dir())
    workers = ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_WORKERS))
    try:
        starts = range(0, len(images), _BLOCK)
        for start, pairs in zip(starts, workers.map(search, starts), strict=True):
            found.add(pairs.view(np.uint8))
            release_pages(images)
            release_pages(pool)
            left = 1 - min(start + _BLOCK, len(images)) / len(images)
            progress(1 - (left * left if within else left))
    finally:
        workers.shutdown(cancel_futures=True)
    return _near_duplicates(found.finish().view(_PAIR).ravel())


def _embed(embedding: Embedding, pool: Images) -> npt.NDArray[np.float16]:
    vectors = np.empty((len(pool), DIMENSIONS), np.float16)
    for start in range(0, len(pool), _BLOCK):
        rows = slice(start, start + _BLOCK)
        vectors[rows] = embedding.embed(pool[rows])
        release_pages(pool)
    return vectors


def _candidates(
    index: Index, variants: Float32s, after: int | None
) -> tuple[Integers, Mask, Integers]:
    """Return pairs of similar images: positions in the block, whether mirrored, and in the pool.

    Args:
        index: index of the pool.
        variants: vectors of a block's variants. Shape: (n, VARIANTS, DIMENSIONS).
        after: position of the block in the pool, if it is a part of the pool: each image is then
            compared only with those after it. None for images of another set.
    """
    gathered = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
    size = 0
    queries = variants.reshape(-1, DIMENSIONS)
    for query, second, cosine in index.search(queries, _MIN_COSINE, -1 if after is None else after):
        turned = query // (VARIANTS // 2)  # 2 · image + mirrored
        if after is not None:
            once = second > turned // 2 + after
            turned, second, cosine = turned[once], second[once], cosine[once]
        gathered.append((turned, second, cosine))
        size += len(turned)
        if size > _MOST_SIMILAR:
            gathered = [_most_similar(gathered)]
            size = len(gathered[0][0])
    turned, second, _ = _most_similar(gathered)
    return turned // 2, turned % 2 == 1, second


def _most_similar(
    parts: list[tuple[Integers, Integers, Float32s]],
) -> tuple[Integers, Integers, Float32s]:
    """Return each pair once, with its highest cosine, and few pairs of each image."""
    turned, second, cosine = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((-cosine, second, turned))
    turned, second, cosine = turned[order], second[order], cosine[order]
    once = np.ones(len(turned), bool)
    once[1:] = (turned[1:] != turned[:-1]) | (second[1:] != second[:-1])
    turned, second, cosine = turned[once], second[once], cosine[once]
    order = np.lexsort((-cosine, turned))
    rank = np.arange(len(order)) - np.searchsorted(turned, turned)
    order = order[rank < _MAX_CANDIDATES]
    return turned[order], second[order], cosine[order]


def _align(
    block: Images, pool: Images, firsts: Integers, mirrored: Mask, seconds: Integers
) -> npt.NDArray[np.void]:
    """Return the near duplicates among candidates, each pair once, mirrored or not."""
    best: dict[tuple[int, int], tuple[Fit, bool]] = {}  # of one block, so it stays small
    templates = {}
    for row, flip, second in zip(firsts.tolist(), mirrored.tolist(), seconds.tolist(), strict=True):
        if (row, flip) not in templates:  # candidates are sorted, so only the last is needed
            image = block[row, :, ::-1] if flip else block[row]
            templates = {(row, flip): filter_image(image)}
        fit = fit_images(templates[row, flip], filter_image(pool[second]))
        if fit and ((row, second) not in best or fit > best[row, second][0]):
            best[row, second] = fit, flip
    return np.array(
        [
            (*pair, fit.correlation, fit.scale, fit.shift, flip)
            for pair, (fit, flip) in best.items()
        ],
        _PAIR,
    )


def _near_duplicates(pairs: npt.NDArray[np.void]) -> NearDuplicates:
    return NearDuplicates(**{name: pairs[name] for name in _PAIR.fields or ()})
