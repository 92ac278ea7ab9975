"""Photos, videos, cameras and streams as frames to iterate over, one module for each kind.

Names are imported on first use, so that a source is described without importing OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mien.vision.sources._open import expected_kind, open_picture, open_source
    from mien.vision.sources.base import SOURCES, Frame, Limits, Opener, Source

_MODULES: Final = {
    "SOURCES": "base",
    "Frame": "base",
    "Limits": "base",
    "Opener": "base",
    "Source": "base",
    "expected_kind": "_open",
    "open_picture": "_open",
    "open_source": "_open",
}

__all__ = [
    "SOURCES",
    "Frame",
    "Limits",
    "Opener",
    "Source",
    "expected_kind",
    "open_picture",
    "open_source",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
