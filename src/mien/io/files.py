"""Files and folders that appear whole or not at all, locks, and the folder of mien's cache."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from mien.errors import MienError, RunError

_KEPT_OF_NAMES: Final = 16  # letters; with more, the temporary name might be too long for the disk


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it takes the name ``path`` when the block ends.

    It is in the folder of ``path``, because only a rename inside one file system is atomic. If the
    block raises (a full disk, Ctrl-C), nothing is left, and an older file of that name is
    unchanged.

    Raises:
        MienError: if the file cannot be written, or is a folder or a device.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_irregular(path)
        temporary = _temporary(path, path.suffix[:_KEPT_OF_NAMES])
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8, whole or not at all.

    File names that are not UTF-8 keep their bytes, which `os.fsdecode` escapes in text.
    """
    write_bytes(path, text.encode(errors="surrogateescape"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def refuse_existing(path: Path) -> None:
    """Raise a MienError if ``path`` exists: mien never overwrites it."""
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
    """Yield a temporary folder to fill; it takes the name ``path`` when the block ends.

    Raises:
        MienError: if ``path`` exists already, or the folder cannot be written.
    """
    refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path)
        temporary.mkdir()
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        temporary.rename(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def locked_file(path: Path, *, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold a lock file inside this block; the lock ends with the process at the latest.

    Args:
        path: path of the lock file, which stays when the lock ends.
        timeout_s: maximum wait for another process to release the lock, in seconds; a negative
            number waits without limit.

    Raises:
        BlockingIOError: if another process holds the lock.
        OSError: if the lock file cannot be written.
    """
    from filelock import FileLock, Timeout  # reading a face needs no locks

    lock = FileLock(path, timeout=timeout_s)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(f"{path}: locked by another process") from None
    except NotImplementedError:  # filelock's word for a file system without locks
        raise OSError(errno.ENOLCK, "its file system has no locks; use another one") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_folder(path: Path, *, busy: str) -> Iterator[None]:
    """Keep other processes out of a folder inside this block, by a file ``.lock`` in it.

    Args:
        path: path of the folder.
        busy: activity of the other process, with which the message ends.

    Raises:
        RunError: if another process holds the lock, or the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked_file(path / ".lock"))
        except BlockingIOError:
            raise RunError(f"{path}: {busy}") from None
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
        yield


def expand_user(path: str | Path) -> Path:
    """Return a path with ``~`` written out.

    Raises:
        MienError: if it begins with the ``~name`` of an unknown user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise MienError(f"{path}: no such user; write the path out") from None


def cache_dir() -> Path:
    """Return the folder for replaceable files: ``MIEN_CACHE``, else the user's cache."""
    if chosen := os.environ.get("MIEN_CACHE"):
        return expand_user(chosen)
    import platformdirs

    return platformdirs.user_cache_path("mien", appauthor=False, opinion=False)


def _temporary(path: Path, suffix: str = "") -> Path:
    return path.with_name(f".{path.name[:_KEPT_OF_NAMES]}.{secrets.token_hex(4)}{suffix}")


def _cannot_write(path: Path, error: OSError) -> MienError:
    reason = error.strerror or str(error)
    return MienError(f"{path}: cannot be written ({reason}); nothing was left half-written")
