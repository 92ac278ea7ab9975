"""Inverted lists: vectors grouped by their nearest centroid, so that few are compared.

A query is compared with the vectors of the lists whose centroids are nearest to it. For N vectors
in about √N lists, that takes time √N instead of N.

Source: Sivic and Zisserman, Video Google, 2003, and Jégou, Douze and Schmid, Product Quantization
for Nearest Neighbor Search, 2011; without the quantization.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.data.duplicates.alignment import Float32s
from mien.types import Integers

Float16s = npt.NDArray[np.float16]

_PROBES: Final = 24  # lists per query; docs/experiments.md says what fewer would miss
_ONE_LIST: Final = 4096  # vectors, at most, that are not worth grouping
_SAMPLE_PER_LIST: Final = 64  # vectors that a centroid is computed from
_ITERATIONS: Final = 8
_ROWS: Final = 1024  # vectors that are compared with all centroids at a time
_PRODUCTS: Final = 1 << 20  # of queries and vectors at a time: 4 MB, about what a cache holds
_SEED: Final = 0


class Index:
    """Inverted lists of unit vectors.

    Args:
        vectors: unit vectors, half precision. Shape: (N, dimensions).
    """

    def __init__(self, vectors: Float16s) -> None:
        count = len(vectors)
        # As many lists as make choosing lists and searching them cost the same.
        lists = 1 if count <= _ONE_LIST else round((count * _PROBES / 2) ** 0.5)
        centroids = _centroids(vectors, lists)
        # Empty lists, as of equal centroids, would be searched in vain.
        used, nearest = np.unique(_nearest(vectors, centroids), return_inverse=True)
        self.centroids = centroids[used]
        self.members = np.argsort(nearest, kind="stable")  # ascending within a list
        self.ends = np.searchsorted(nearest[self.members], np.arange(len(used) + 1))
        self.vectors = vectors[self.members]

    def search(
        self, queries: Float32s, least: float, after: int
    ) -> Iterator[tuple[Integers, Integers, Float32s]]:
        """Yield the similar pairs, a part of a list at a time, in which each pair occurs once.

        Args:
            queries: unit vectors. Shape: (n, dimensions).
            least: cosine that the vectors of similar pairs exceed.
            after: position that the vectors of similar pairs come after; -1 for no limit.

        Yields:
            Positions of the queries, positions of the vectors, and their cosines.
        """
        asking, starts = self._probe(queries)
        for number, (start, end) in enumerate(pairwise(self.ends)):
            start += np.searchsorted(self.members[start:end], after, "right")
            members = self.members[start:end]
            rows = asking[starts[number] : starts[number + 1]]
            if not len(members) or not len(rows):
                continue
            vectors = self.vectors[start:end].T.astype(np.float32)
            step = max(1, _PRODUCTS // len(members))
            for first in range(0, len(rows), step):
                some = rows[first : first + step]
                cosines = queries[some] @ vectors
                similar = np.flatnonzero(cosines > least)
                if len(similar):
                    row, column = np.divmod(similar, len(members))
                    yield some[row], members[column], cosines.ravel()[similar]

    def _probe(self, queries: Float32s) -> tuple[Integers, Integers]:
        """Return the queries of every list, one list after another, and where each begins."""
        lists = len(self.centroids)
        if lists <= _PROBES:
            return np.tile(np.arange(len(queries)), lists), np.arange(lists + 1) * len(queries)
        probed = np.empty((len(queries), _PROBES), np.int16 if lists < 1 << 15 else np.int32)
        for start in range(0, len(queries), _ROWS):
            rows = slice(start, start + _ROWS)
            cosines = queries[rows] @ self.centroids.T
            probed[rows] = np.argpartition(cosines, -_PROBES, axis=1)[:, -_PROBES:]
        flat = probed.ravel()
        order = np.argsort(flat, kind="stable")
        return order // _PROBES, np.searchsorted(flat[order], np.arange(lists + 1))


def _centroids(vectors: Float16s, lists: int) -> Float32s:
    """Return cluster centres of a sample: spherical k-means from random vectors."""
    random = np.random.default_rng(_SEED)
    size = min(len(vectors), lists * _SAMPLE_PER_LIST)
    sample = vectors[random.choice(len(vectors), size, replace=False)].astype(np.float32)
    centroids = sample[:lists]
    for _ in range(_ITERATIONS if lists > 1 else 0):
        nearest = _nearest(sample, centroids)
        order = np.argsort(nearest, kind="stable")
        present, starts = np.unique(nearest[order], return_index=True)
        means = np.add.reduceat(sample[order], starts)
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        centroids[present] = means / np.maximum(lengths, 1e-6)
    return centroids


def _nearest(vectors: Float16s | Float32s, centroids: Float32s) -> Integers:
    """Return the position of each vector's nearest centroid. Shape: (N, dimensions) -> (N,)."""
    nearest = np.zeros(len(vectors), np.int64)
    for start in range(0, len(vectors) if len(centroids) > 1 else 0, _ROWS):
        rows = slice(start, start + _ROWS)
        nearest[rows] = (vectors[rows].astype(np.float32) @ centroids.T).argmax(1)
    return nearest
