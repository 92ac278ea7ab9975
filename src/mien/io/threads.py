"""Threads of numerical libraries."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import cast


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep matrix products on the thread that asks for them, while the context lasts.

    The threads of many small products wait for each other most of the time, on a busy machine in
    particular, and spend processor time on that.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:  # it comes with scikit-learn; without it the same takes longer
        return nullcontext()
    return cast(AbstractContextManager[object], threadpool_limits(1, "blas"))
