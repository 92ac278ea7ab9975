"""The memory that a block of a test takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")


@contextmanager
def at_most(mb: int) -> Iterator[None]:
    """Fail if the process's memory grows by more than so many MiB inside the block."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = _mb("VmRSS")
    yield
    grown = _mb("VmHWM") - before
    assert grown <= mb, f"{grown} MiB were taken, at most {mb} may be"


def _mb(field: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{field}:")[1].split()[0]) >> 10
