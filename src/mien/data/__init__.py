"""Load, split, write and draw data sets of face crops.

Names are imported on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mien.data.dataset import FaceDataset
    from mien.data.load import load_dataset

_PLACES: Final = {"FaceDataset": "dataset", "load_dataset": "load"}

__all__ = ["FaceDataset", "load_dataset"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
