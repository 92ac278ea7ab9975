"""The cores of this machine, and the threads of numerical libraries."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import cast


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


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
