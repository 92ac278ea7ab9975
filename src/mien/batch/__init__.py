"""Reading at scale: large collections of pictures to Parquet, on many cores or many machines.

A job is cut into parts, and each part becomes one Parquet file, which appears whole or not at all.
So a job that was killed goes on with the parts that are missing. Names are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mien.lazy import lazy_names

if TYPE_CHECKING:
    from mien.batch.run import BatchListener, Summary, run_batch
    from mien.batch.settings import BatchSettings

_MODULES: Final = {
    "BatchListener": "mien.batch.run",
    "BatchSettings": "mien.batch.settings",
    "Summary": "mien.batch.run",
    "run_batch": "mien.batch.run",
}

__all__ = ["BatchListener", "BatchSettings", "Summary", "run_batch"]

__getattr__ = lazy_names(__name__, _MODULES)
