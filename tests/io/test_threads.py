from __future__ import annotations

import sys

import numpy as np
from threadpoolctl import threadpool_info

from mien.io.threads import one_blas_thread


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_matrix_products_have_one_thread_as_long_as_the_context_lasts():
    np.ones((2, 2)) @ np.ones((2, 2))
    before = blas_threads()
    with one_blas_thread():
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_without_threadpoolctl_nothing_is_limited(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    before = blas_threads()
    with one_blas_thread():
        assert blas_threads() == before
