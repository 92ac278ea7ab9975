"""A stand-in for YuNet's file that counts as the real one (see ``tests/vision/conftest.py``)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs
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


@pytest.fixture(scope="session")
def yunet_file() -> Path:
    """YuNet's own file, which is not in the repository: ``MIEN_TEST_YUNET``, or the user's copy."""
    kept = platformdirs.user_cache_path("mien", appauthor=False, opinion=False) / "models"
    path = Path(os.environ.get("MIEN_TEST_YUNET") or kept / _yunet_file.FILE_NAME)
    if not path.is_file():
        pytest.skip("YuNet's file is not here; MIEN_TEST_YUNET=PATH names it")
    return path
