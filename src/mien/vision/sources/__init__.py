"""Photos, videos, cameras and streams as frames to iterate over, one module for each kind.

Names are imported on first use, so that a source is described without importing OpenCV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mien.lazy import lazy_names

if TYPE_CHECKING:
    from mien.vision.sources._open import expected_kind, open_picture, open_source
    from mien.vision.sources.base import (
        SOURCES,
        Color,
        Frame,
        Limits,
        Opener,
        Selection,
        Source,
        SourceLike,
    )

_MODULES: Final = {
    "SOURCES": "mien.vision.sources.base",
    "Color": "mien.vision.sources.base",
    "Frame": "mien.vision.sources.base",
    "Limits": "mien.vision.sources.base",
    "Opener": "mien.vision.sources.base",
    "Selection": "mien.vision.sources.base",
    "Source": "mien.vision.sources.base",
    "SourceLike": "mien.vision.sources.base",
    "expected_kind": "mien.vision.sources._open",
    "open_picture": "mien.vision.sources._open",
    "open_source": "mien.vision.sources._open",
}

__all__ = [
    "SOURCES",
    "Color",
    "Frame",
    "Limits",
    "Opener",
    "Selection",
    "Source",
    "SourceLike",
    "expected_kind",
    "open_picture",
    "open_source",
]

__getattr__ = lazy_names(__name__, _MODULES)
