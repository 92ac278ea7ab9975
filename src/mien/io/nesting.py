"""Walk through nested lists and tables of outside text, whose depth is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

MOST_LEVELS: Final = 32  # mien itself writes fewer than ten


def each_value(value: Any) -> Iterator[Any]:
    """Yield a value, and everything in it if it is a list or a table.

    Raises:
        ValueError: if lists and tables are nested deeper than 32 levels.
    """
    level = [value]
    for _ in range(MOST_LEVELS):
        inner: list[Any] = []
        for one in level:
            yield one
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        if not inner:
            return
        level = inner
    raise ValueError(f"is nested deeper than {MOST_LEVELS} levels")
