"""Large arrays in files: gather them on disk, and keep mapped pages out of memory.

An array that is mapped from a file costs no memory of its own, but the pages that were touched
count as the process's memory until the system needs them. `release_pages` gives them back at once.
"""

from __future__ import annotations

import mmap
import tempfile
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.errors import MienError

IN_MEMORY_BYTES: Final = 256 << 20  # larger results of `take_rows` are kept in a file
_CHUNK_BYTES: Final = 16 << 20


def release_pages(array: npt.NDArray[Any]) -> None:
    """Let the system drop the pages of an array that is mapped from a file.

    They are read from the file again when they are needed. Arrays in memory stay as they are.
    """
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        if getattr(base, "mode", "r") == "c":
            return  # changes to a private copy would be lost with its pages
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        with suppress(OSError, ValueError):
            base.madvise(mmap.MADV_DONTNEED)


class RowsFile:
    """Rows that are added one block after another, and become one array.

    Few rows stay in memory; many are kept in a file without a name, which is mapped.

    Args:
        shape: shape of a row.
        folder: folder for the file (see `take_rows`).

    Shape: blocks uint8 (n, *shape) -> uint8 (sum of n, *shape).

    Raises:
        MienError: if the file cannot be written, for example on a full disk.
    """

    def __init__(self, shape: tuple[int, ...], folder: Path) -> None:
        self.shape, self.folder = shape, folder
        self._blocks: deque[npt.NDArray[np.uint8]] = deque()
        self._bytes, self._count = 0, 0
        self._handle: Any = None

    def add(self, block: npt.NDArray[np.uint8]) -> None:
        """Add a block of rows."""
        self._blocks.append(np.ascontiguousarray(block).reshape(-1, *self.shape))
        self._bytes += block.nbytes
        self._count += len(self._blocks[-1])
        if self._bytes > IN_MEMORY_BYTES:
            self._flush()

    def finish(self) -> npt.NDArray[np.uint8]:
        """Return all rows as one array; nothing can be added after it."""
        shape = (self._count, *self.shape)
        if self._handle is None:
            joined, start = np.empty(shape, np.uint8), 0
            while self._blocks:  # each is freed once it is copied, so memory never holds all twice
                block = self._blocks.popleft()
                joined[start : start + len(block)] = block
                start += len(block)
            return joined
        self._flush()
        return _mapped(self._handle, np.uint8, shape)

    def _flush(self) -> None:
        with _writing(self.folder):
            if self._handle is None:
                self._handle = _nameless_file(self.folder)
                weakref.finalize(self, self._handle.close)  # after an error in a later block
            while self._blocks:
                self._handle.write(self._blocks.popleft().data)
            self._handle.flush()
        self._bytes = 0


def take_rows(array: npt.NDArray[Any], where: npt.NDArray[Any], folder: Path) -> npt.NDArray[Any]:
    """Return some rows of an array; in a file that is mapped if they are many.

    The file has no name: it is gone with the last reference to it, even if the process is killed.

    Args:
        array: array, in memory or mapped from a file.
        where: positions of the rows, or a mask.
        folder: folder for the file; a temporary folder takes its place if it cannot be written.

    Raises:
        MienError: if the file cannot be written, for example on a full disk.
    """
    rows = np.flatnonzero(where) if where.dtype == bool else where
    row_bytes = int(np.prod(array.shape[1:], dtype=np.int64)) * array.itemsize
    if len(rows) * row_bytes <= IN_MEMORY_BYTES:
        return np.asarray(array[rows])
    step = max(1, _CHUNK_BYTES // row_bytes)
    with _writing(folder), _nameless_file(folder) as handle:
        for start in range(0, len(rows), step):
            handle.write(np.ascontiguousarray(array[rows[start : start + step]]).data)
            release_pages(array)
        handle.flush()
        return _mapped(handle, array.dtype, (len(rows), *array.shape[1:]))


def write_npy(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array to a new ``.npy`` file, a part at a time if it is mapped from a file."""
    row_bytes = max(1, array.nbytes // max(1, len(array)))
    step = max(1, _CHUNK_BYTES // row_bytes)
    with path.open("wb") as handle:
        np.lib.format.write_array_header_1_0(
            handle,
            {
                "descr": np.lib.format.dtype_to_descr(array.dtype),
                "fortran_order": False,
                "shape": array.shape,
            },
        )
        for start in range(0, len(array), step):
            handle.write(np.ascontiguousarray(array[start : start + step]).data)
            release_pages(array)


def _mapped(handle: Any, dtype: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    with handle:  # the mapping keeps the file
        return np.memmap(handle, dtype, "r", shape=shape)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MienError(
            f"{folder}: the images cannot be gathered in a temporary file ({error.strerror}); "
            "free space there, or set MIEN_CACHE to a folder that has more"
        ) from error


def _nameless_file(folder: Path) -> Any:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder)
    except OSError:
        return tempfile.TemporaryFile()
