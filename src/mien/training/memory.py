"""How the C library's allocator treats the memory that every step takes and gives back."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# From glibc's malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_MAX: Final = -4


def keep_freed_memory() -> None:
    """Keep freed memory in the process, so that the next step finds its pages in place.

    By default glibc returns every large block to the system and asks for it again, and the system
    clears each page anew: a sixth of a small network's step. Elsewhere this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl has none
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
