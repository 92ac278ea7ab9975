"""Read the faces in any source: sources, detectors, the reader, and sinks for its readings.

Names are imported on first use, so that the defaults are known without importing OpenCV. Nothing
here imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.vision.reader import Reader, read
    from mien.vision.reading import Reading

__all__ = ["Reader", "Reading", "read"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.reader"), name)
