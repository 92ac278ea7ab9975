"""Files by path or address: on this machine, or in object storage by pyarrow and fsspec."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from mien.data.formats._parquet_rows import import_pyarrow
from mien.errors import MienError, first_line, install_hint
from mien.io.files import expand_user, write_bytes

_ADDRESS: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_SECRETS: Final = re.compile(r"(?<=://)[^/@]*@|\?.*$")  # a password, and options such as keys


class Entry(NamedTuple):
    """A file of a listing: its path or address, and its size in bytes."""

    path: str
    size: int


class Store(ABC):
    """A file system. Paths are those that the user writes: ``photos/a.jpg``, ``s3://bucket/a.jpg``.

    Methods raise an OSError for a file that is missing or cannot be read.
    """

    is_local = False

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes; None if it is a folder."""

    @abstractmethod
    def walk(self, path: str) -> Iterator[Entry]:
        """Yield the files in a folder and in its subfolders, without hidden ones, by name."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""

    @abstractmethod
    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Delete a file; a missing one is no error."""

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        with self.open(path) as handle:
            return handle.read()


class LocalStore(Store):
    """The files of this machine."""

    is_local = True

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes; None if it is a folder."""
        return None if Path(path).is_dir() else Path(path).stat().st_size

    def walk(self, path: str) -> Iterator[Entry]:
        """Yield the files in a folder and in its subfolders, without hidden ones, by name."""
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self.walk(entry.path)
            elif not entry.is_dir():  # a link to a folder might be one to its own parent
                try:
                    size = entry.stat().st_size
                except OSError:  # reported when it is read
                    size = 0
                yield Entry(entry.path, size)

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        if not Path(path).is_file():
            Path(path).stat()
            raise OSError(f"{path}: not a file")
        return Path(path).open("rb")

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        write_bytes(Path(path), content)

    def delete(self, path: str) -> None:
        """Delete a file; a missing one is no error."""
        Path(path).unlink(missing_ok=True)


class RemoteStore(Store):
    """A file system of pyarrow, or of fsspec.

    Args:
        address: any address on it.

    Raises:
        MienError: if there is no such file system, or its package is not installed.
    """

    def __init__(self, address: str) -> None:
        from pyarrow import fs

        self._fs = fs
        self._scheme = address.partition("://")[0]
        self._options = address.partition("?")[2]
        try:
            self._system = _of_pyarrow(address)
        except Exception as error:
            self._system = _of_fsspec(address, error)

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes; None if it is a folder."""
        info = self._system.get_file_info(self._inside(path))
        if info.type == self._fs.FileType.NotFound:
            raise FileNotFoundError(2, "no such file or folder", path)
        return None if info.type == self._fs.FileType.Directory else int(info.size)

    def walk(self, path: str) -> Iterator[Entry]:
        """Yield the files in a folder and in its subfolders, without hidden ones, by name."""
        root = self._inside(path)
        infos = self._system.get_file_info(self._fs.FileSelector(root, recursive=True))
        for info in sorted(infos, key=lambda info: info.path):
            inner = info.path[len(root) :]
            if info.type == self._fs.FileType.File and "/." not in inner:
                yield Entry(f"{self._scheme}://{info.path}", int(info.size))

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        handle: BinaryIO = self._system.open_input_file(self._inside(path))
        return handle

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all: object storage shows an object once it is complete."""
        inside = self._inside(path)
        if not isinstance(self._system, self._fs.S3FileSystem):
            self._system.create_dir(inside.rpartition("/")[0], recursive=True)
        with self._system.open_output_stream(inside) as handle:
            handle.write(content)

    def delete(self, path: str) -> None:
        """Delete a file; a missing one is no error."""
        with suppress(FileNotFoundError):
            self._system.delete_file(self._inside(path))

    def _inside(self, path: str) -> str:
        return shown(path).partition("://")[2].rstrip("/")


def store_of(path: str) -> Store:
    """Return the file system of a path or an address.

    Raises:
        MienError: if there is no such file system, or its package is not installed.
    """
    if not is_address(path):
        return LocalStore()
    import_pyarrow()
    scheme, _, rest = path.partition("://")
    # One for each bucket and its options: the region of a bucket is looked up once.
    return _remote(f"{scheme}://{rest.partition('/')[0].partition('?')[0]}/", _options_of(path))


@lru_cache(maxsize=64)
def _remote(root: str, options: str) -> Store:
    return RemoteStore(f"{root}?{options}" if options else root)


def _options_of(path: str) -> str:
    return path.partition("?")[2]


def normal_path(text: str) -> str:
    """Return the path or address that a user gave, a path with ``~`` expanded and absolute."""
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    return text if is_address(text) else os.path.abspath(expand_user(text))  # noqa: PTH100


def join(folder: str, name: str) -> str:
    """Return the path of a file in a folder."""
    base, mark, options = folder.partition("?") if is_address(folder) else (folder, "", "")
    return f"{base.rstrip('/')}/{name}{mark}{options}"


def with_options(path: str, root: str) -> str:
    """Return the address of a file with the options of the address that it was found by."""
    options = _options_of(root) if is_address(root) else ""
    return f"{path}?{options}" if options else path


def is_address(path: str) -> bool:
    """Return whether a text is an address, such as ``s3://bucket/folder``."""
    return _ADDRESS.match(path) is not None


def shown(path: str) -> str:
    """Return a path as it is shown and kept: without passwords and options, in UTF-8."""
    if is_address(path):
        return _SECRETS.sub("", path)
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def reason(error: OSError | Exception) -> str:
    """Return why a file cannot be read or written, in a few words."""
    return getattr(error, "strerror", None) or first_line(error, most=200)


def _of_pyarrow(address: str) -> Any:
    """Return the file system of an address; that of S3 writes a small file by one request."""
    from pyarrow import ArrowInvalid, fs

    if address.startswith("s3://"):
        mark = "&" if "?" in address else "?"
        with suppress(ArrowInvalid):  # an older pyarrow, which writes it by three
            return fs.FileSystem.from_uri(f"{address}{mark}allow_delayed_open=true")[0]
    return fs.FileSystem.from_uri(address)[0]


def _of_fsspec(address: str, error: Exception) -> Any:
    """Return the file system of an address that pyarrow alone does not open.

    Raises:
        MienError: if fsspec does not open it either.
    """
    from pyarrow import fs

    place = shown(address)
    try:
        import fsspec

        known = fsspec.available_protocols()
        scheme = address.partition("://")[0]
        if scheme not in known or scheme in ("s3", "gs", "gcs"):
            raise ValueError(first_line(error))
        system, _ = fsspec.core.url_to_fs(address)
        return fs.PyFileSystem(fs.FSSpecHandler(system))
    except ImportError as missing:
        hint = f"pip install {missing.name}" if missing.name else install_hint("ray")
        raise MienError(f"{place}: its file system needs a package: {hint}") from None
    except Exception as problem:
        raise MienError(
            f"{place}: cannot be opened ({first_line(problem, most=160)}); expected a path, or an "
            "address such as s3://bucket/folder or gs://bucket/folder"
        ) from None
