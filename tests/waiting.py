"""Waiting for what another thread or process does, without a guess at how long it takes."""

from __future__ import annotations

import time


def wait_until(condition, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "took too long"
        time.sleep(0.01)
