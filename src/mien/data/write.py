"""Write a FaceDataset to files, in any layout."""

from __future__ import annotations

from pathlib import Path

from mien.data.dataset import FaceDataset
from mien.data.formats.base import FORMATS, writable_layouts
from mien.errors import MienError
from mien.io.files import atomic_file, atomic_folder


def write_dataset(dataset: FaceDataset, path: Path, layout: str) -> None:
    """Write a data set completely or not at all.

    Reading it returns the same images, labels and splits to the bit. FER+ votes are kept by layouts
    that have a place for them (`mien.data.formats.base.Format.keeps_votes`). Read it with the same
    labels, size and channels.

    Args:
        dataset: data set to write.
        path: path of the new file or folder.
        layout: name of the layout.

    Raises:
        MienError: if there is no such layout, it can only be read or keeps no colour, or `path`
            cannot be written.
    """
    refuse_layout(dataset, path, layout)
    chosen = FORMATS[layout]()
    atomic = atomic_file if chosen.suffix else atomic_folder
    with atomic(path) as temporary:
        chosen.write(dataset, temporary)


def refuse_layout(dataset: FaceDataset, path: Path, layout: str) -> None:
    """Raise a MienError if a layout can only be read, or keeps no colour and the data set has."""
    if layout not in writable_layouts() and layout in FORMATS:
        raise MienError(
            f"{path}: the layout {layout} can only be read; choose "
            f"{' or '.join(writable_layouts())}"
        )
    if dataset.crop.channels == 3 and not FORMATS[layout].keeps_colour:
        others = " or ".join(name for name in writable_layouts() if FORMATS[name].keeps_colour)
        raise MienError(
            f"{path}: the layout {layout} stores gray pixels, but these crops are in colour; "
            f"choose {others}"
        )
