from __future__ import annotations

import numpy as np
import pytest

from mien.data.duplicates import index
from mien.data.duplicates.index import Index

LEAST = 0.8


def unit_vectors(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 64))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return unit_vectors(6000, 0)  # more than fit in one list


@pytest.fixture(scope="module")
def queries(vectors) -> np.ndarray:
    """Noisy copies of the first vectors, with a cosine to them of about 0.9."""
    copies = vectors[:500] + 0.06 * np.random.default_rng(1).normal(size=(500, 64))
    return (copies / np.linalg.norm(copies, axis=1, keepdims=True)).astype(np.float32)


def search(vectors, queries, after=-1) -> dict[tuple[int, int], float]:
    found = {}
    for rows, columns, cosines in Index(vectors.astype(np.float16)).search(queries, LEAST, after):
        for row, column, cosine in zip(rows, columns, cosines, strict=True):
            assert (row, column) not in found
            found[int(row), int(column)] = float(cosine)
    return found


def test_many_lists_find_what_a_comparison_with_every_vector_finds(vectors, queries):
    cosines = queries @ vectors.T
    wanted = set(zip(*(at.tolist() for at in np.nonzero(cosines > LEAST)), strict=True))
    found = search(vectors, queries)
    assert len(wanted) > 450
    assert len(found.keys() & wanted) >= 0.98 * len(wanted)
    assert all(cosine == pytest.approx(cosines[pair], abs=2e-3) for pair, cosine in found.items())


def test_one_list_finds_everything(vectors, queries):
    few = vectors[:1000]
    rows, columns = np.nonzero(queries @ few.T > LEAST + 1e-3)
    assert search(few, queries).keys() >= set(zip(rows.tolist(), columns.tolist(), strict=True))


def test_few_of_many_vectors_are_compared(vectors, queries):
    lists = Index(vectors.astype(np.float16))
    asking, starts = lists._probe(queries)
    compared = np.diff(starts) @ np.diff(lists.ends)
    assert compared < 0.2 * len(vectors) * len(queries)
    assert sorted(np.bincount(asking)) == [index._PROBES] * len(queries)


def test_vectors_up_to_a_position_are_left_out(vectors, queries):
    every = search(vectors, queries)
    after = search(vectors, queries, after=250)
    assert after.keys() == {pair for pair in every if pair[1] > 250}
    assert 200 < len(after) < len(every)


def test_parts_of_a_list_are_searched_alike(vectors, queries, monkeypatch):
    whole = search(vectors, queries)
    monkeypatch.setattr(index, "_PRODUCTS", 50)
    assert search(vectors, queries).keys() == whole.keys()


def test_equal_vectors_are_no_trouble():
    vectors = np.repeat(unit_vectors(1, 0), 5000, axis=0)
    assert len(search(vectors, vectors[:3])) == 3 * 5000
