"""Write a FaceDataset to files, in any layout."""

from __future__ import annotations

from pathlib import Path

from mien.data.dataset import FaceDataset
from mien.data.formats.base import FORMATS
from mien.io.files import atomic_file, atomic_folder


def write_dataset(dataset: FaceDataset, path: Path, layout: str) -> None:
    """Write a data set completely or not at all.

    Reading it returns the same images, labels and splits to the bit. FER+ votes are kept by layouts
    that have a place for them (`mien.data.formats.base.Format.keeps_votes`).

    Args:
        dataset: data set to write.
        path: path of the new file or folder.
        layout: name of the layout.

    Raises:
        MienError: if there is no such layout, or `path` cannot be written.
    """
    chosen = FORMATS[layout]()
    atomic = atomic_file if chosen.suffix else atomic_folder
    with atomic(path) as temporary:
        chosen.write(dataset, temporary)
