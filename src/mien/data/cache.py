"""A cache of data sets as memory-mapped arrays, which open in milliseconds.

Keys depend on the path, size, inode and modification times (in nanoseconds) of every file, which
any write changes. Hashing the content itself would take longer than the cache saves.
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

from mien.data.rows import Rows
from mien.errors import MienError
from mien.io.files import atomic_file, atomic_folder, cache_dir
from mien.io.mapped import write_npy
from mien.types import Array

# Part of every key: raise it when a reader's result changes, so that old entries are not read.
_VERSION: Final = 4
_LEFTOVER_AFTER_S: Final = 3600
_ARRAYS: Final = ("images", "labels", "splits", "ids", "rows", "votes")


def cache_key(files: Iterable[Path], *options: object) -> str:
    """Return the key of the result of reading some files.

    Args:
        files: paths of the files.
        options: everything else that the result depends on.
    """
    digest = hashlib.sha256(repr((_VERSION, options)).encode())
    for path in files:
        try:
            stat = path.stat()
        except OSError:  # a broken link, which reading reports
            facts: tuple[int, ...] = ()
        else:
            facts = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        digest.update(f"{path.absolute()}\0{facts}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def load(key: str) -> Rows | None:
    """Return the rows cached under a key, as memory-mapped arrays; None if there are none."""
    folder = cache_dir() / "datasets" / key
    try:
        kept = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in kept["arrays"]}
        return Rows(
            **arrays,
            skipped=list(kept["skipped"]),
            unknown=dict(kept["unknown"]),
            notes=list(kept["notes"]),
            drawn=bool(kept["drawn"]),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        shutil.rmtree(folder, ignore_errors=True)  # absent or damaged
        return None


def save(key: str, rows: Rows) -> None:
    """Save rows under a key. A cache that cannot be written is no error: it only costs time."""
    folder = cache_dir() / "datasets" / key
    arrays = {name: getattr(rows, name) for name in _ARRAYS if getattr(rows, name) is not None}
    _remove_leftovers(folder.parent)
    try:
        with atomic_folder(folder) as temporary:
            for name, array in arrays.items():
                write_npy(temporary / f"{name}.npy", array)
            kept = {
                "arrays": list(arrays),
                "skipped": rows.skipped,
                "unknown": rows.unknown,
                "notes": rows.notes,
                "drawn": rows.drawn,
            }
            (temporary / "rows.json").write_text(json.dumps(kept), encoding="utf-8")
    except MienError:
        return


def load_arrays(key: str) -> dict[str, Array] | None:
    """Return the arrays cached under a key; None if there are none."""
    try:
        # From bytes: given a path, NumPy leaves a damaged file open.
        with np.load(io.BytesIO(_arrays_path(key).read_bytes())) as kept:
            return dict(kept)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def save_arrays(key: str, arrays: Mapping[str, Any]) -> None:
    """Save arrays under a key. A cache that cannot be written is no error: it only costs time."""
    _remove_leftovers(_arrays_path(key).parent)
    with (
        suppress(MienError),
        atomic_file(_arrays_path(key)) as temporary,
        temporary.open("wb") as handle,  # given a path, NumPy would add a suffix to it
    ):
        np.savez_compressed(handle, **arrays)


def _arrays_path(key: str) -> Path:
    return cache_dir() / "arrays" / f"{key}.npz"


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files and folders of killed processes, but not those of running ones."""
    for leftover in folder.glob(".*"):
        with suppress(OSError):  # another process may have renamed it by now
            if time.time() - leftover.stat().st_mtime <= _LEFTOVER_AFTER_S:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()
