"""The record of a run: its data (but no image), the machine, and the installed versions."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

from mien.bundle.metadata import CropRecord
from mien.bundle.scores import Record
from mien.data import FaceDataset

# Packages on which the figures of a run depend.
_PACKAGES: Final = ("mien", "torch", "lightning", "numpy", "onnxruntime")

Status = Literal["training", "interrupted", "finished"]


class DataRecord(Record):
    """The data that a run was trained on, described without any image."""

    name: str
    """Name of the data set."""
    paths: tuple[str, ...]
    """Absolute paths of the data set's files or folders."""
    layout: str
    """Layout of the data set, for example ``csv``."""
    fingerprint: str
    """Fingerprint of the images, labels and splits."""
    split_rule: str
    """Description of how the splits were made."""
    split_counts: dict[str, int]
    """Number of images in each split."""
    train_class_counts: dict[str, int]
    """Number of training images of each class, in the order of the labels."""
    crop: CropRecord = CropRecord()
    """Size and channels of the face crops."""
    train_voted: int = 0
    """Number of training images with FER+ votes."""
    drawn: bool = False
    """Whether mien drew the faces, so that no figure says anything about people."""
    skip_bad: bool
    """Whether unusable images were left out, instead of refused."""
    skipped: int
    """Number of images that were left out."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in order."""
        return tuple(self.train_class_counts)


class RunRecord(Record):
    """The content of ``run.json``."""

    mien_run: Literal[1] = 1
    """Version of this format."""
    status: Status
    """Status of the training."""
    started: str
    """Time at which the training started, ISO 8601 in UTC."""
    data: DataRecord
    """Data that the run was trained on."""
    device: str
    """Device that it was trained on."""
    precision: Literal["fp32", "bf16"]
    """Number format of the training."""
    threads: int
    """Number of CPU threads of each process."""
    processes: int = 1
    """Number of processes that trained it."""
    environment: dict[str, str]
    """The machine and the installed versions."""
    parameters: int
    """Number of weights."""
    macs: int | None = None
    """Multiply-accumulate operations for one face; None in older runs."""
    initial_weights: str = ""
    """Digest of the weights that the training started from; empty if it started from scratch."""


def describe_data(
    dataset: FaceDataset, paths: tuple[Path, ...], *, skip_bad: bool = False
) -> DataRecord:
    """Return the record of a data set, without any of its images.

    Args:
        dataset: data set that the run is trained on.
        paths: paths that it was loaded from.
        skip_bad: whether unusable images were left out.
    """
    votes = dataset.train.votes
    return DataRecord(
        name=dataset.name,
        paths=describe_paths(paths),
        layout=dataset.layout,
        fingerprint=dataset.fingerprint,
        split_rule=dataset.split_rule,
        split_counts=dataset.split_counts(),
        train_class_counts=dataset.train.class_counts(),
        crop=CropRecord.of(dataset.crop),
        train_voted=0 if votes is None else int(votes.any(1).sum()),
        drawn=dataset.drawn,
        skip_bad=skip_bad,
        skipped=len(dataset.skipped),
    )


def describe_paths(paths: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the absolute paths of a data set, valid from any working directory."""
    return tuple(str(path.resolve()) for path in paths)


def describe_environment() -> dict[str, str]:
    """Return the machine and the installed versions, on which the figures of a run depend."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        **{name: _version_of(name) for name in _PACKAGES},
    }


def now() -> str:
    """Return the current time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # mien itself may run from its sources
        return "not installed"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text(encoding="utf-8"))
        if found:
            return found[1]
    return platform.processor() or "unknown"
