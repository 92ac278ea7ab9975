"""Files on disk to a FaceDataset: the competition CSV, emotion folders, Parquet, drawn faces."""

from mien.data.dataset import FaceDataset
from mien.data.load import load_dataset

__all__ = ["FaceDataset", "load_dataset"]
