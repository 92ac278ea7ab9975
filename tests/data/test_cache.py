from __future__ import annotations

import os

import numpy as np
import pytest

from mien.data import cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_is_removed_after_a_while(folder):
    """A search for duplicates leaves a file, reading a data set a folder."""
    cache.save_arrays("key", {"numbers": np.arange(3)})
    arrays = folder / "arrays"
    old, new = arrays / ".key.npz.0a1b2c3d.npz", arrays / ".key.npz.4e5f6a7b.npz"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.save_arrays("other", {"numbers": np.arange(3)})
    assert sorted(path.name for path in arrays.iterdir()) == [new.name, "key.npz", "other.npz"]
    assert cache.load_arrays("key")["numbers"].tolist() == [0, 1, 2]
