"""Load, split, write and draw data sets of face crops.

Names are imported on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.lazy import lazy_names

if TYPE_CHECKING:
    from mien.data.dataset import FaceDataset
    from mien.data.load import load_dataset

__all__ = ["FaceDataset", "load_dataset"]

__getattr__ = lazy_names(
    __name__, {"FaceDataset": "mien.data.dataset", "load_dataset": "mien.data.load"}
)
