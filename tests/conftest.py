"""Small data that every test can share: drawn faces, and one run trained on them in seconds."""

from __future__ import annotations

import os

# One thread a test process: several of them share the cores, and threads that wait for a core that
# another process has make everything slower. Before torch is imported, which reads it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mien.data import FaceDataset
from mien.data.formats.base import FORMATS, writable_layouts
from mien.data.synthetic.faces import synthetic_faces
from mien.data.write import write_dataset
from mien.runs.run import Run
from mien.training.train import train
from mien.vision.quiet import quiet_video

# The smallest training that goes through every stage; its scores mean nothing.
TINY = ["train.epochs=2", "model.channels=[8,16,16,16]", "train.batch_size=32"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none, and say so."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="torch sees no CUDA device here"))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's cache out of the tests."""
    os.environ["MIEN_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def silent_ffmpeg() -> None:
    """Start FFmpeg as mien does: tests that write videos would start it with all its messages."""
    with quiet_video():
        cv2.VideoCapture("nothing", cv2.CAP_FFMPEG)


def distinct_faces(count: int, seed: int) -> FaceDataset:
    """Draw faces that stand in for photographs: with folds and shadows, without which they would be
    near duplicates by nature, and without the mark of drawn faces."""
    drawn = synthetic_faces(count, seed=seed)
    noise = np.random.default_rng(seed).normal(0, 90, drawn.images.shape)
    shadows = np.stack([cv2.GaussianBlur(one, (0, 0), 2) for one in noise])
    return replace(
        drawn, images=np.clip(drawn.images + shadows, 0, 255).astype(np.uint8), drawn=False
    )


@pytest.fixture(scope="session")
def faces() -> FaceDataset:
    """280 drawn faces in three splits."""
    return synthetic_faces(280, seed=1)


@pytest.fixture(scope="session")
def layouts(faces: FaceDataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same faces in every layout that can be written, by its name."""
    root = tmp_path_factory.mktemp("layouts")
    paths = {name: root / name / f"fer{FORMATS[name].suffix}" for name in writable_layouts()}
    for name, path in paths.items():
        write_dataset(faces, path, name)
    return paths


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """40 faces of which no two are duplicates."""
    return distinct_faces(40, seed=6).images


@pytest.fixture(scope="session")
def trained(layouts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The one training that every module's run is a copy of."""
    return train("quick", layouts["csv"], tmp_path_factory.mktemp("runs") / "tiny", overrides=TINY)


@pytest.fixture(scope="module")
def run(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run, the module's own: what its tests measure and log is not met by others."""
    path = tmp_path_factory.mktemp("run") / "tiny"
    shutil.copytree(trained.path, path)
    return Run(path)


@dataclass(frozen=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture
def mien(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """The command line, called as a user would call it."""
    from mien.cli.main import main

    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mien", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call
