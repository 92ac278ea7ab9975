"""Large arrays in files: the same rows as in memory, and pages that are given back."""

from __future__ import annotations

import mmap
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.errors import MienError
from mien.io import mapped
from mien.io.mapped import RowsFile, release_pages, take_rows, write_npy

ROWS = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 3), np.uint8)


@pytest.fixture(params=["memory", "file"])
def in_file(request, monkeypatch) -> bool:
    """Whether results are too large for memory."""
    if request.param == "file":
        monkeypatch.setattr(mapped, "IN_MEMORY_BYTES", 1000)
    return request.param == "file"


def is_mapped(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def mapped_copy(path: Path, array: np.ndarray) -> np.ndarray:
    np.save(path, array)
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("sizes", [[100], [1, 99], [0, 40, 0, 60], [7] * 14 + [2]])
def test_blocks_become_one_array(tmp_path, in_file, sizes):
    gathered, start = RowsFile((8, 8, 3), tmp_path / "new"), 0
    for size in sizes:
        gathered.add(ROWS[start : start + size])
        start += size
    result = gathered.finish()
    np.testing.assert_array_equal(result, ROWS)
    assert is_mapped(result) == in_file
    assert not list(tmp_path.rglob("*.*"))  # the file has no name


def test_no_blocks_are_no_rows(tmp_path):
    assert RowsFile((8, 8), tmp_path).finish().shape == (0, 8, 8)


def test_blocks_that_are_no_contiguous_memory(tmp_path, in_file):
    gathered = RowsFile((8, 8, 3), tmp_path)
    gathered.add(ROWS[::2, :, ::-1])
    result = gathered.finish()
    np.testing.assert_array_equal(result, ROWS[::2, :, ::-1])
    assert is_mapped(result) == in_file


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "IN_MEMORY_BYTES", 1000)
    (tmp_path / "file").write_text("")
    gathered = RowsFile((8, 8, 3), tmp_path / "file" / "below")
    gathered.add(ROWS)
    np.testing.assert_array_equal(gathered.finish(), ROWS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("what", ["gather", "take"])
def test_a_full_disk_is_one_line(tmp_path, monkeypatch, what):
    monkeypatch.setattr(mapped, "IN_MEMORY_BYTES", 1000)
    full = Path("/dev/full").open("wb", 0)  # noqa: SIM115 - closed by what writes to it
    monkeypatch.setattr(mapped, "_nameless_file", lambda _: full)
    expected = rf"^{re.escape(str(tmp_path))}: the images cannot be gathered .*No space left"
    with pytest.raises(MienError, match=expected):
        if what == "gather":
            RowsFile((8, 8, 3), tmp_path).add(ROWS)
        else:
            take_rows(ROWS, np.arange(100), tmp_path)


@pytest.mark.parametrize("where", [np.array([5, 0, 99, 5] * 20), ROWS[:, 0, 0, 0] > 60])
@pytest.mark.parametrize("source", ["memory", "file"])
def test_rows_are_taken_in_their_order(tmp_path, in_file, where, source):
    array = ROWS if source == "memory" else mapped_copy(tmp_path / "a.npy", ROWS)
    taken = take_rows(array, where, tmp_path)
    np.testing.assert_array_equal(taken, ROWS[where])
    assert (taken.dtype, is_mapped(taken)) == (ROWS.dtype, in_file)


@pytest.mark.usefixtures("in_file")
def test_no_rows_can_be_taken(tmp_path):
    assert take_rows(ROWS, np.array([], np.intp), tmp_path).shape == (0, 8, 8, 3)


@pytest.mark.parametrize(
    "array",
    [ROWS, ROWS[::3], np.asfortranarray(ROWS[..., 0]), np.array(["a", "ää"]), np.arange(5),
     np.empty((0, 4, 4), np.uint8)],
    ids=["rows", "every third", "Fortran order", "text", "numbers", "none"],
)  # fmt: skip
def test_npy_files_are_those_of_numpy(tmp_path, monkeypatch, array):
    monkeypatch.setattr(mapped, "_CHUNK_BYTES", 500)
    write_npy(tmp_path / "a.npy", array)
    loaded = np.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype == array.dtype


def resident_pages(path: Path) -> int:
    """Return the KiB of a mapped file that count as memory of this process."""
    maps = Path("/proc/self/smaps").read_text().split(f"{path}\n")[1:]
    return sum(int(re.search(r"Rss:\s+(\d+) kB", text)[1]) for text in maps)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "view", [lambda a: a, lambda a: a[5:], lambda a: np.asarray(a)[:4].reshape(2, 2)]
)
def test_pages_are_given_back_and_read_again(tmp_path, view):
    path = tmp_path / "large.npy"
    array = mapped_copy(path, np.arange(1 << 20))
    total = array.sum()
    assert resident_pages(path) > 4000
    release_pages(view(array))
    assert resident_pages(path) == 0
    assert array.sum() == total


def test_arrays_in_memory_and_private_copies_keep_their_values(tmp_path):
    release_pages(ROWS[3:])
    np.save(tmp_path / "a.npy", ROWS)
    private = np.load(tmp_path / "a.npy", mmap_mode="c")
    private[:] = 7
    release_pages(private[1:])
    assert (private == 7).all()
