"""Tune the C library's memory allocator, which every training step uses heavily."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# From glibc's malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_MAX: Final = -4


def keep_freed_memory() -> None:
    """Let this process keep freed memory for the next training step, for as long as it runs.

    By default glibc returns every large block to the system and requests it again, and the system
    clears each page: a sixth of the time of a small network's step. glibc has no way to read or
    restore these settings. On other systems than Linux this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl has none
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
