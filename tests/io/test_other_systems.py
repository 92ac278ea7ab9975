"""What differs on Windows and macOS, simulated on the system of the tests (docs/adr/0009)."""

from __future__ import annotations

import ast
import os
import runpy
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

import mien
from mien.cli import outputs
from mien.errors import MienError
from mien.io import files, interrupt
from mien.io.names import Name, readable_name
from mien.vision.sinks.photo import PhotoSink
from mien.vision.sources import _specs
from mien.vision.sources.base import Frame

SOURCES = sorted(Path(mien.__file__).parent.rglob("*.py"))

# Modules and names that Windows lacks, unless what uses them asks first (see ASKED).
POSIX_MODULES = {"fcntl", "grp", "pwd", "pty", "resource", "syslog", "termios", "tty"}
POSIX_NAMES = {
    "os": {
        *("chown", "fork", "geteuid", "getpgid", "getuid", "kill", "killpg", "mkfifo", "nice"),
        *("register_at_fork", "sched_getaffinity", "setpgid", "setsid", "statvfs", "wait4"),
    },
    "signal": {"SIGALRM", "SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2", "alarm"},
}
ASKED = {
    ("io/files.py", "getuid"),
    ("bundle/forked.py", "register_at_fork"),
}


def calls_in(tree: ast.AST):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(_specs, "WINDOWS", True)
    monkeypatch.setattr(files, "_PAUSES_S", (0.0, 0.0, 0.0))


def refuse_renames(monkeypatch, times: int) -> list[Path]:
    """Let the next renames fail as they do on Windows while another program reads the file."""
    asked, rename = [], Path.replace

    def replace(self, target):
        asked.append(self)
        if len(asked) <= times:
            raise PermissionError(13, "The process cannot access the file")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    return asked


def test_a_file_that_is_open_elsewhere_is_replaced_a_moment_later(tmp_path, windows, monkeypatch):
    asked = refuse_renames(monkeypatch, times=2)
    files.write_text(tmp_path / "a.csv", "new")
    assert (tmp_path / "a.csv").read_text() == "new"
    assert len(asked) == 3
    with files.atomic_folder(tmp_path / "folder") as temporary:
        (temporary / "b").touch()
    assert (tmp_path / "folder" / "b").exists()


def test_a_file_that_stays_open_is_an_error_and_nothing_is_left(tmp_path, windows, monkeypatch):
    asked = refuse_renames(monkeypatch, times=9)
    with pytest.raises(MienError, match="cannot access the file"):
        files.write_text(tmp_path / "a.csv", "new")
    assert len(asked) == 4
    assert not [*tmp_path.iterdir()]


def test_elsewhere_a_refused_rename_is_an_error_at_once(tmp_path, monkeypatch):
    asked = refuse_renames(monkeypatch, times=1)
    with pytest.raises(MienError, match="cannot be written"):
        files.write_text(tmp_path / "a.csv", "new")
    assert len(asked) == 1


def test_a_temporary_file_that_cannot_be_removed_hides_no_error(tmp_path, monkeypatch):
    def unlink(self, missing_ok=False):
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(ZeroDivisionError), files.atomic_file(tmp_path / "a.csv"):
        raise ZeroDivisionError


def test_the_cache_has_a_place_where_users_have_no_number(tmp_path, monkeypatch):
    def no_home(*_, **__):
        raise RuntimeError

    monkeypatch.delenv("MIEN_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", no_home)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.delattr(os, "getuid")
    assert files.cache_dir() == tmp_path / "mien"


@pytest.mark.parametrize("name", ["con", "NUL", "aux.toml", "COM1", "lpt9.x", "a.", "a "])
def test_a_name_that_windows_cannot_have_is_refused_everywhere(name):
    with pytest.raises(ValidationError, match="name of a device such as con"):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("name", ["console", "com10", "nullify", "a.b", "conv-net"])
def test_names_that_begin_like_a_device_are_fine(name):
    assert TypeAdapter(Name).validate_python(name) == name


def test_a_file_is_copied_where_links_are_not_allowed(tmp_path, monkeypatch):
    def symlink_to(self, target):
        raise OSError(1314, "A required privilege is not held by the client")

    path = tmp_path / os.fsdecode(b"caf\xe9.txt")
    path.write_text("content")
    monkeypatch.setattr(Path, "symlink_to", symlink_to)
    with readable_name(path) as copy:
        assert copy.read_text() == "content"
        assert not copy.is_symlink()


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file:///C:/my%20photos/a.jpg", "C:/my photos/a.jpg"),
        ("file://localhost/d:/a.jpg", "d:/a.jpg"),
        ("file:///photos/a.jpg", "/photos/a.jpg"),
    ],
)
def test_the_address_of_a_file_on_a_drive_is_its_path(windows, address, path):
    assert _specs.as_path(address) == Path(path)


def test_a_drive_is_no_address():
    assert not _specs.is_address("C:\\photos\\a.jpg")
    assert not _specs.is_address("C:/photos/a.jpg")
    assert _specs.is_address("https://host/a.jpg")


def test_ctrl_break_is_a_request_to_stop(monkeypatch):
    found = SimpleNamespace(name="SIGBREAK")
    monkeypatch.setattr(signal, "Signals", [signal.SIGINT, found, signal.SIGTERM])
    signals = runpy.run_path(interrupt.__file__)["SIGNALS"]
    assert signals == (signal.SIGINT, signal.SIGTERM, found)


def test_copies_whose_names_differ_in_capitals_alone_replace_no_other(tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    with PhotoSink(tmp_path, photos=2) as sink:
        for number, name in enumerate(["one/Party.png", "two/party.png"]):
            sink.add(Frame(image, name, 0, None, item=number), [])
    assert len({path.name.casefold() for path in sink.saved}) == 2


def test_two_outputs_that_differ_in_capitals_alone_are_one_on_windows(monkeypatch, mien, tmp_path):
    monkeypatch.setattr(outputs.os.path, "normcase", str.lower)
    target = tmp_path / "faces"
    outcome = mien("predict", "--sample", "--csv", f"{target}.csv", "--sink", f"jsonl={target}.CSV")
    assert "named for two outputs" in outcome.err


def test_no_module_needs_what_only_posix_has():
    found = []
    for path in SOURCES:
        place = path.relative_to(Path(mien.__file__).parent).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [(place, one.name) for one in node.names if one.name in POSIX_MODULES]
            elif isinstance(node, ast.ImportFrom) and node.module in POSIX_MODULES:
                found.append((place, node.module))
            elif isinstance(node, ast.Attribute):
                module = getattr(node.value, "id", "")
                found += [(place, node.attr)] if node.attr in POSIX_NAMES.get(module, ()) else []
    assert {*found} == ASKED


def test_every_text_file_is_opened_in_a_named_encoding():
    """Windows' own encoding is another one."""
    found = []
    for path in SOURCES:
        for call in calls_in(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            given = {keyword.arg for keyword in call.keywords}
            if "encoding" in given or None in given:  # None: **options
                continue
            is_text = name == "read_text" and not call.args
            is_text |= name == "write_text" and len(call.args) == 1
            if name == "open" and isinstance(call.func, ast.Attribute):
                modes = [one.value for one in call.args[:1] if isinstance(one, ast.Constant)]
                is_text |= bool(modes) and modes[0] in ("r", "w", "a", "x", "r+", "w+")
            if is_text:
                found.append(f"{path.name}:{call.lineno}")
    assert not found
