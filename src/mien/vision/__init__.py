"""Read the faces in any source: sources, detectors, the reader, and sinks for its readings.

Names are imported on first use, so that the defaults are known without importing OpenCV. Nothing
here imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.lazy import lazy_names

if TYPE_CHECKING:
    from mien.vision.reader import Reader, read
    from mien.vision.reading import Reading

__all__ = ["Reader", "Reading", "read"]

__getattr__ = lazy_names(
    __name__,
    {
        "Reader": "mien.vision.reader",
        "Reading": "mien.vision.reading",
        "read": "mien.vision.reader",
    },
)
