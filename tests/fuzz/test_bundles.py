"""Mutated Bundles: opened and asked, or refused with one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.fuzz.harness import fuzz, memory_folder

BOUNDS = {"max_mb": 512, "max_s": 5.0}
WORDS = (
    *(b"Loop", b"If", b"Scan", b"Expand", b"ConstantOfShape", b"Tile", b"Pad", b"Range", b"Resize"),
    *(b"location", b"data.bin", b"mien_format", b"crop", b"labels", b"NaN", b"1e999", b"null"),
    *(b"\x6a\x00", b"\x70\x01", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
)


def bundles_open(data: bytes) -> None:
    """Open a Bundle, and read two crops with it."""
    import numpy as np

    from mien.bundle.bundle import Bundle

    os.environ["MIEN_MAX_NETWORK_MB"] = "128"
    path = memory_folder() / "fuzzed.onnx"
    path.write_bytes(data)
    bundle = Bundle(path, threads=1)
    bundle.predict(np.full((2, *bundle.crop.shape), 200, np.uint8))


def seeds(folder: Path) -> list[bytes]:
    pytest.importorskip("onnx")
    from tests.bundles import RED_GREEN_BLUE, write_bundle

    from mien.images.crop import CropSpec

    crops = (CropSpec(24, 1), CropSpec(32, 3))
    return [write_bundle(folder / "seed.onnx", RED_GREEN_BLUE, crop).read_bytes() for crop in crops]


def test_bundles(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = seeds(tmp_path_factory.mktemp("seeds"))
    fuzz(bundles_open, made, tmp_path, seconds=2, words=WORDS, **BOUNDS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_bundles(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = seeds(tmp_path_factory.mktemp("seeds"))
    fuzz(bundles_open, made, tmp_path, seconds=0, runs=100_000, words=WORDS, **BOUNDS)
