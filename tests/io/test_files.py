from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mien.errors import MienError
from mien.io.files import atomic_file, atomic_folder, locked_file, write_text


def test_a_file_appears_whole(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "whole")
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_name_that_is_no_utf8_keeps_its_bytes(tmp_path):
    write_text(tmp_path / "a.txt", os.fsdecode(b"caf\xe9.png\n"))
    assert (tmp_path / "a.txt").read_bytes() == b"caf\xe9.png\n"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ValueError, match="half-way"), atomic_file(path) as temporary:
        temporary.write_text("new")
        raise ValueError("half-way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_and_never_replaces_another(tmp_path):
    with atomic_folder(tmp_path / "a") as temporary:
        (temporary / "x").write_text("1")
    with pytest.raises(MienError, match="exists already"), atomic_folder(tmp_path / "a"):
        pass
    with pytest.raises(ValueError, match="half-way"), atomic_folder(tmp_path / "b"):
        raise ValueError("half-way")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("place", ["file/below/x.txt", "file/x.txt"])
def test_a_place_that_cannot_be_is_said_by_its_own_name(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(MienError, match=r"x\.txt: cannot be written"):
        write_text(tmp_path / place, "")


def test_names_may_be_as_long_as_the_disk_takes_them(tmp_path):
    for name in ("写" * 83 + ".jpg", "a." + "b" * 253):
        write_text(tmp_path / name, "whole")
        assert (tmp_path / name).read_text() == "whole"
    with pytest.raises(MienError, match="cannot be written"):
        write_text(tmp_path / ("a" * 256), "")
    with pytest.raises(MienError, match="cannot be written"), atomic_folder(tmp_path / ("a" * 256)):
        pass


def test_what_is_not_a_file_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "device")
    for name in ("folder", "device"):
        with pytest.raises(MienError, match=f"{name}: is not a file"):
            write_text(tmp_path / name, "")
    assert (tmp_path / "device").is_fifo()
    assert len(list(tmp_path.iterdir())) == 2


def test_files_are_as_readable_as_the_users_others(tmp_path):
    path = tmp_path / "plain"
    path.write_text("")
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == path.stat().st_mode


def test_a_disk_that_is_full_is_said_and_nothing_is_left(tmp_path):
    """A limit on the size of files is the full disk that a test can have."""
    program = (
        "import resource, pathlib, sys\n"
        "from mien.io.files import write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    write_bytes(pathlib.Path(sys.argv[1]), b'x' * 5000)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    path = tmp_path / "big.bin"
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith(f"MienError {path}: cannot be written (File too large)")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_work_under_a_lock_stays_what_it_is_and_ends_the_lock(tmp_path):
    for error in (NotImplementedError, OSError):  # torch raises the first, too
        with pytest.raises(error, match="of the work"), locked_file(tmp_path / ".lock"):
            raise error("of the work")
    with locked_file(tmp_path / ".lock"), pytest.raises(BlockingIOError):
        with locked_file(tmp_path / ".lock"):
            pass
