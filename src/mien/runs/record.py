"""What a run records of itself: its data, by no image, and the machine and versions it ran on."""

from __future__ import annotations

import json
import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mien.data import FaceDataset

# What a run's figures depend on.
_RECORDED_PACKAGES = ("mien", "torch", "lightning", "numpy", "onnxruntime")

Status = Literal["training", "interrupted", "finished"]


class DataRecord(BaseModel):
    """Which images a run was trained on."""

    model_config = ConfigDict(frozen=True)

    name: str
    paths: tuple[str, ...]
    layout: str
    fingerprint: str
    split_rule: str
    split_counts: dict[str, int]
    train_class_counts: dict[str, int]
    train_voted: int = 0  # images of train that have FER+ votes
    skip_bad: bool
    skipped: int


class RunRecord(BaseModel):
    """What ``run.json`` holds."""

    model_config = ConfigDict(frozen=True)

    mien_run: Literal[1] = 1
    status: Status
    started: str
    data: DataRecord
    device: str
    precision: Literal["fp32", "bf16"]
    threads: int
    environment: dict[str, str]
    parameters: int
    macs: int | None = None
    initial_weights: str = ""

    def as_json(self) -> str:
        """Return the text of ``run.json``."""
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"


def describe_data(
    dataset: FaceDataset, paths: tuple[Path, ...], *, skip_bad: bool = False
) -> DataRecord:
    """Return what a run records of its data, no image among it."""
    votes = dataset.train.votes
    return DataRecord(
        name=dataset.name,
        paths=describe_paths(paths),
        layout=dataset.layout,
        fingerprint=dataset.fingerprint,
        split_rule=dataset.split_rule,
        split_counts=dataset.split_counts(),
        train_class_counts=dataset.train.class_counts(),
        train_voted=0 if votes is None else int(votes.any(1).sum()),
        skip_bad=skip_bad,
        skipped=len(dataset.skipped),
    )


def describe_paths(paths: tuple[Path, ...]) -> tuple[str, ...]:
    """Return where a run's data is, to be found from any folder."""
    return tuple(str(path.resolve()) for path in paths)


def describe_environment() -> dict[str, str]:
    """Return what a run's figures may depend on: the machine and the versions."""
    versions = {name: _version_of(name) for name in _RECORDED_PACKAGES}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        **versions,
    }


def _version_of(package: str) -> str:
    """Return a package's version; mien itself may run from its sources, without being installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def now() -> str:
    """Return the time as ISO 8601 to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text(encoding="utf-8"))
        if found:
            return found[1]
    return platform.processor() or "unknown"
