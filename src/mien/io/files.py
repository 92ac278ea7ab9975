"""Files and folders that appear whole or not at all, locks, and the folder of mien's cache."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from mien.errors import MienError, RunError

AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_LONGEST_NAME: Final = 255  # bytes; no common file system takes more
NO_PATH: Final = "no path: it has a null character, or a name over 255 bytes"
WINDOWS: Final = os.name == "nt"
_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)  # while another program has a file open on Windows
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
        _rename(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with suppress(PermissionError):  # Windows: something has it open
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


def is_path(text: str) -> bool:
    """Return whether a text can be a path: no null character, no name over 255 bytes."""
    return "\0" not in text and all(
        len(os.fsencode(part)) <= _LONGEST_NAME for part in Path(text).parts
    )


def refuse_unwritable(folder: Path) -> None:
    """Raise a MienError if nothing can be written in a folder, which need not exist yet.

    For long work: an output that cannot be written is reported before it, not after it.

    Raises:
        MienError: if no file can be created in the folder.
    """
    import tempfile

    folder = expand_user(folder)
    try:
        nearest = next(place for place in (folder, *folder.parents) if place.exists())
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise MienError(f"{folder}: cannot be written ({error.strerror})") from error


def free_path(path: Path) -> Path:
    """Return a path, or the first of ``name-2.suffix``, ``name-3.suffix`` … that does not exist."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def refuse_unwritable_file(path: Path) -> None:
    """Raise a MienError if a file cannot be written, or is a folder or a device."""
    path = expand_user(path)
    refuse_unwritable(path.parent)
    refuse_irregular(path)


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
        _rename(temporary, path)
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


def expand_user(path: AnyPath) -> Path:
    """Return the path that a user gave, with ``~`` or ``~user`` at its beginning expanded.

    A file or folder of that literal name comes first, for names such as ``~a.png``. So does
    ``~name`` alone if no user is called that.

    Args:
        path: path as text, as bytes in the encoding of the file system, or as an object that has
            one, such as an `os.DirEntry`.

    Raises:
        MienError: if the path is empty, too long or no path at all; or begins with ``~`` where no
            home folder is known, or with the ``~name/`` of an unknown user.
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise MienError(f"{path!r:.80}: not a path; expected text or a pathlib.Path") from None
    if not text:
        raise MienError("the path is empty, expected the path of a file or folder")
    if not is_path(text):
        shown = text.replace("\0", "\\0")[:100]
        raise MienError(f"{shown}: {NO_PATH}")
    given = Path(text)
    first = given.parts[0] if given.parts else ""
    if not first.startswith("~") or os.path.lexists(given):
        return given
    if first != "~" and os.path.lexists(first):
        return given
    try:
        return given.expanduser()
    except RuntimeError:
        if first == "~":
            raise MienError(
                f"{given}: no home folder is known here; set HOME, or write the path out"
            ) from None
        if given.parts == (first,):
            return given
        raise MienError(f"{given}: no such user; write the path out") from None


def cache_dir() -> Path:
    """Return the folder for replaceable files: ``MIEN_CACHE``, else the user's cache.

    Without a home folder (a container under a number that is no user) it is a folder of the user's
    own among the temporary files.

    Raises:
        MienError: if there is no home folder, and that folder belongs to somebody else.
    """
    if chosen := os.environ.get("MIEN_CACHE"):
        return expand_user(chosen).absolute()
    import platformdirs

    try:
        path = platformdirs.user_cache_path("mien", appauthor=False, opinion=False)
    except (KeyError, RuntimeError):  # no HOME, and no such user
        return _cache_without_home()
    if path.is_absolute():
        return path
    # A relative XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification, 2021), and a
    # literal ~ is left where no home folder is known.
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises an error
    return Path(home, ".cache", "mien") if Path(home).is_absolute() else _cache_without_home()


def _cache_without_home() -> Path:
    import tempfile

    if not hasattr(os, "getuid"):  # Windows, where each user has temporary files of their own
        return Path(tempfile.gettempdir(), "mien")
    user = os.getuid()
    path = Path(tempfile.gettempdir(), f"mien-{user}")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        if path.lstat().st_uid == user:
            return path
    except OSError:
        pass
    raise MienError(f"{path}: cannot be used as cache; set MIEN_CACHE to a folder of your own")


def _rename(temporary: Path, path: Path) -> None:
    """Give a complete file or folder its name.

    Windows refuses it while another program has a file open, such as a virus scanner that reads
    what was just written; that is over within moments.
    """
    for pause_s in _PAUSES_S if WINDOWS else ():
        try:
            temporary.replace(path)
        except PermissionError:
            time.sleep(pause_s)
        else:
            return
    temporary.replace(path)


def _temporary(path: Path, suffix: str = "") -> Path:
    return path.with_name(f".{path.name[:_KEPT_OF_NAMES]}.{secrets.token_hex(4)}{suffix}")


def _cannot_write(path: Path, error: OSError) -> MienError:
    reason = error.strerror or str(error)
    return MienError(f"{path}: cannot be written ({reason}); nothing was left half-written")
