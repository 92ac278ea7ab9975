"""Files and folders that appear whole or not at all, and where mien keeps its cache."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mien.errors import MienError

_KEPT_OF_NAMES: Final = 16  # letters: a longer temporary name might be one too long for the disk


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; it takes that name when the block ends.

    Beside it, because only a rename inside one file system is atomic. When the block raises (a
    full disk, Ctrl-C), nothing is left and an older file of that name stays as it was.

    Raises:
        MienError: if it cannot be written, or is a folder or a device.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_irregular(path)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=_hidden(path), suffix=path.suffix[:_KEPT_OF_NAMES]
        )
    except OSError as error:
        raise _cannot_write(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8, whole or not at all.

    Names of files that are no UTF-8 keep their bytes, as `os.fsdecode` hides them in text.
    """
    write_bytes(path, text.encode(errors="surrogateescape"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def refuse_existing(path: Path) -> None:
    """Raise a MienError if there is something at ``path``: nothing is ever written over."""
    try:
        exists = path.exists()
    except OSError as error:  # a name that is too long
        raise _cannot_write(path, error) from error
    if exists:
        raise MienError(f"{path}: exists already; choose another name, or remove it first")


def refuse_irregular(path: Path) -> None:
    """Raise a MienError for a folder or a device: a rename would replace /dev/null itself."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:  # a name that is too long
        raise _cannot_write(path, error) from error
    if not regular:
        raise MienError(f"{path}: is not a file, and cannot be replaced by one")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path`` to fill; it takes that name when the block ends.

    Raises:
        MienError: if ``path`` exists already, or the folder cannot be written.
    """
    refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=_hidden(path)))
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        temporary.rename(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def locked_folder(path: Path) -> Iterator[int | None]:
    """Keep other processes out of a folder; the lock goes when the last process that has it ends.

    Yields:
        The descriptor that holds the lock, for processes that are to have it too; None where
        folders cannot be locked.

    Raises:
        BlockingIOError: if another process has it.
    """
    if sys.platform == "win32":
        yield None
        return
    import fcntl

    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        os.close(folder)


def expand_user(path: str | Path) -> Path:
    """Return a path with ``~`` written out.

    Raises:
        MienError: if it begins with the ``~name`` of nobody.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise MienError(f"{path}: no such user; write the path out") from None


def cache_dir() -> Path:
    """Return the folder for what mien can make again: ``MIEN_CACHE``, else the user's cache."""
    if chosen := os.environ.get("MIEN_CACHE"):
        return expand_user(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", str(Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    return Path(base) / "mien"


def _hidden(path: Path) -> str:
    return f".{path.name[:_KEPT_OF_NAMES]}."


def _cannot_write(path: Path, error: OSError) -> MienError:
    reason = error.strerror or str(error)
    return MienError(f"{path}: cannot be written ({reason}); nothing was left half-written")


def _umask() -> int:
    # The only way to read the mask is to set it. tempfile makes private files; users expect theirs.
    mask = os.umask(0)
    os.umask(mask)
    return mask
