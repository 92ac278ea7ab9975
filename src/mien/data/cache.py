"""Data sets that were read once, kept as memory-mapped arrays so that they open in milliseconds.

The key stands for the source's content: every file's path, size, inode and times of change down to
the nanosecond, which any write changes. Hashing the content itself would take longer than is saved.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import time
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.data.rows import Rows
from mien.errors import MienError
from mien.io.files import atomic_file, atomic_folder, cache_dir

# Part of every key: raise it when a reader's result changes, and old entries are never read again.
_VERSION: Final = 1
_LEFTOVER_AFTER_S: Final = 3600
_ARRAYS: Final = ("images", "labels", "splits", "ids", "votes")


def cache_key(files: Iterable[Path], *options: object) -> str:
    """Return a name for what reading these files with these options gives."""
    digest = hashlib.sha256(repr((_VERSION, options)).encode())
    for path in files:
        try:
            stat = path.stat()
        except OSError:  # a link to nothing; whoever reads the file says so
            facts: tuple[int, ...] = ()
        else:
            facts = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        digest.update(f"{path.absolute()}\0{facts}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def load(key: str) -> Rows | None:
    """Return the rows kept under ``key``, their arrays memory-mapped; None if there are none."""
    folder = cache_dir() / "datasets" / key
    try:
        kept = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in kept["arrays"]}
        return Rows(**arrays, skipped=list(kept["skipped"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        shutil.rmtree(folder, ignore_errors=True)  # absent, or damaged and so of no use
        return None


def save(key: str, rows: Rows) -> None:
    """Keep rows under ``key``. A cache that cannot be written costs time and no more."""
    folder = cache_dir() / "datasets" / key
    arrays = {name: getattr(rows, name) for name in _ARRAYS if getattr(rows, name) is not None}
    _remove_leftovers(folder.parent)
    try:
        with atomic_folder(folder) as temporary:
            for name, array in arrays.items():
                np.save(temporary / f"{name}.npy", array)
            kept = {"arrays": list(arrays), "skipped": rows.skipped}
            (temporary / "rows.json").write_text(json.dumps(kept), encoding="utf-8")
    except MienError:
        return


def load_arrays(key: str) -> dict[str, npt.NDArray[Any]] | None:
    """Return the arrays kept under ``key``; None if there are none."""
    try:
        # Not by its path: NumPy leaves a damaged file open.
        with np.load(io.BytesIO(_arrays_path(key).read_bytes())) as kept:
            return dict(kept)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def save_arrays(key: str, arrays: Mapping[str, Any]) -> None:
    """Keep arrays under ``key``. A cache that cannot be written costs time and no more."""
    with (
        suppress(MienError),
        atomic_file(_arrays_path(key)) as temporary,
        temporary.open("wb") as handle,  # given a name, NumPy would add a suffix to it
    ):
        np.savez_compressed(handle, **arrays)


def _arrays_path(key: str) -> Path:
    return cache_dir() / "arrays" / f"{key}.npz"


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes left that were killed while they saved, not what others are saving."""
    for leftover in folder.glob(".*"):
        with suppress(OSError):  # another process may be done with it by now
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_AFTER_S:
                shutil.rmtree(leftover, ignore_errors=True)
