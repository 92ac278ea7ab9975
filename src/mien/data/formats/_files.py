"""List the files of a folder, without those that systems and programs leave there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, NoReturn

from mien.errors import DataError

# In lower case; names that begin with a dot are hidden as well.
_JUNK: Final = frozenset({"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin"})


_SHOWN_CHARACTERS: Final = 200  # of a longer name only both ends are shown


@contextmanager
def readable() -> Iterator[None]:
    """Turn errors of the file system (no permission, a name that is too long) into a DataError."""
    try:
        yield
    except OSError as error:
        name = shorten(os.fsdecode(error.filename)) if error.filename else "the data set"
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from error


def shorten(name: str) -> str:
    """Return a name as errors show it: of a long one only both ends."""
    return name if len(name) <= _SHOWN_CHARACTERS else f"{name[:80]}…{name[-80:]}"


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or is one that a system makes for itself."""
    return name.startswith(".") or name.lower() in _JUNK


def is_file(path: Path) -> bool:
    """Return whether a path that a list names is one of a file; not if it can be none at all."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises errors about long names


def walk_files(root: Path) -> Iterator[Path]:
    """Yield every file below a folder in sorted order, also behind links; hidden ones are left out.

    Raises:
        DataError: if a folder cannot be listed.
    """
    inside: dict[str, frozenset[str]] = {}  # real paths of the folders above each folder
    for place, folders, files in os.walk(root, onerror=_cannot_list, followlinks=True):
        real = os.path.realpath(place)
        above = inside.get(place, frozenset())
        if real in above:  # a link to a folder that it is in
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        inside.update((os.path.join(place, name), above | {real}) for name in folders)  # noqa: PTH118
        for name in sorted(files):
            if not is_hidden(name):
                yield Path(place, name)


def visible_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files in a folder that match a pattern, sorted; hidden files are left out.

    Args:
        folder: folder to list.
        pattern: pattern of the names, such as ``*.csv``, in any case; it may begin with a folder.
    """
    *inner, names = pattern.split("/")
    place = folder.joinpath(*inner)
    if not place.is_dir():
        return []
    return sorted(
        path
        for path in place.iterdir()
        if fnmatchcase(path.name.lower(), names.lower())
        and not is_hidden(path.name)
        and path.is_file()
    )


def subfolders(root: Path) -> list[Path]:
    """Return the folders in a folder, sorted; hidden ones are left out.

    Raises:
        DataError: if the folder cannot be listed.
    """
    try:
        return sorted(p for p in root.iterdir() if p.is_dir() and not is_hidden(p.name))
    except OSError as error:
        _cannot_list(error)


def _cannot_list(error: OSError) -> NoReturn:
    raise DataError(f"{error.filename}: cannot be listed ({error.strerror})") from error
