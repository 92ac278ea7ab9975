"""A stand-in for YuNet's file that counts as the real one (see ``tests/vision/conftest.py``)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mien.vision.detectors import _yunet_file


@pytest.fixture
def planted(planted_yunet: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in's path; during the test its checksum is the one of the real file."""
    digest = hashlib.sha256(planted_yunet.read_bytes()).hexdigest()
    monkeypatch.setattr(_yunet_file, "SHA256", digest)
    return planted_yunet


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of YuNet's file in an empty cache of the test's own."""
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"
