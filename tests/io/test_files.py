from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mien.errors import MienError
from mien.io.files import (
    atomic_file,
    atomic_folder,
    cache_dir,
    expand_user,
    free_path,
    locked_file,
    write_text,
)


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


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def test_a_tilde_is_the_home_folder(home):
    assert expand_user("~") == home
    assert expand_user("~/a.csv") == expand_user(Path("~/a.csv")) == home / "a.csv"
    assert expand_user("~root/a") == Path("/root/a")
    with pytest.raises(MienError, match="no such user"):
        expand_user("~nobody-of-that-name/a")


@pytest.mark.parametrize("name", ["a~.csv", "./a/~/b", "~nobody-of-that-name", "~$draft.xlsx"])
def test_other_tildes_are_letters(home, name):
    assert expand_user(name) == Path(name)


def test_what_is_called_like_a_home_folder_comes_first(home):
    Path("~a.png").touch()
    Path("~root").mkdir()
    assert expand_user("~a.png") == expand_user("./~a.png") == Path("~a.png")
    assert expand_user("~root/new.csv") == Path("~root/new.csv")
    Path("~").mkdir()  # a folder that other programs make by mistake
    assert expand_user("~/new.csv") == home / "new.csv"
    Path("~/old.csv").touch()
    assert expand_user("~/old.csv") == Path("~/old.csv")


def test_a_path_may_be_bytes_or_an_entry_of_a_folder(tmp_path):
    (tmp_path / "a").touch()
    (entry,) = os.scandir(tmp_path)
    assert expand_user(entry) == expand_user(os.fsencode(tmp_path / "a")) == tmp_path / "a"


@pytest.mark.parametrize("path", ["", b""])
def test_an_empty_path_is_refused(path):
    with pytest.raises(MienError, match="the path is empty"):
        expand_user(path)


@pytest.mark.parametrize("path", [3, None, ["a"]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(MienError, match="not a path"):
        expand_user(path)


def test_the_cache_is_where_the_user_says(home, monkeypatch):
    monkeypatch.setenv("MIEN_CACHE", "~/mine")
    assert cache_dir() == home / "mine"
    monkeypatch.setenv("MIEN_CACHE", "relative")
    assert cache_dir() == Path.cwd() / "relative"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other places")
def test_a_cache_that_is_nowhere_is_not_used(home, monkeypatch):
    monkeypatch.delenv("MIEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which its specification excludes
    assert cache_dir() == home / ".cache" / "mien"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    assert cache_dir() == home / "other" / "mien"


def test_a_free_path_is_the_first_that_is_not_taken(tmp_path):
    assert free_path(tmp_path / "quick").name == "quick"
    for name in ("quick", "quick-2", "page.html"):
        (tmp_path / name).mkdir()
    assert free_path(tmp_path / "quick").name == "quick-3"
    assert free_path(tmp_path / "page.html").name == "page-2.html"
