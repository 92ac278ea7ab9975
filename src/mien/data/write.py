"""A FaceDataset back to files, in any layout."""

from __future__ import annotations

from pathlib import Path

from mien.data.dataset import FaceDataset
from mien.data.formats.csv import write_csv
from mien.data.formats.folders import write_folders
from mien.data.formats.parquet import write_parquet

_WRITERS = {"csv": write_csv, "folders": write_folders, "parquet": write_parquet}
LAYOUTS = tuple(_WRITERS)


def write_dataset(dataset: FaceDataset, path: Path, layout: str) -> None:
    """Write a data set, whole or not at all, as ``csv``, ``folders`` or ``parquet``.

    Read again, it gives the same images, labels and splits to the bit. FER+ votes are kept by
    Parquet alone: the other layouts have no place for them.
    """
    _WRITERS[layout](dataset, path)
