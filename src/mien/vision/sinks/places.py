"""Where results of reading may be written: never over what they were read from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mien.errors import MienError
from mien.io.files import expand_user, refuse_irregular

_LONGEST_STEM_BYTES: Final = 200  # of the 255 that a name may have


class SourceFiles:
    """The files among some sources; a path is in it that leads to one, under whatever name.

    Args:
        sources: paths and addresses; empty strings, for pixels, are passed over.
    """

    def __init__(self, sources: Iterable[str] = ()) -> None:
        self._files = {_file(source) for source in sources if source} - {None}

    def __contains__(self, path: str | Path) -> bool:
        return _file(path) in self._files


def refuse_source(path: Path, sources: SourceFiles) -> None:
    """Raise a MienError if a path leads to one of the sources."""
    if path in sources:
        raise MienError(f"{path}: is one of the sources, which stay as they are; name another")


def refuse_output(path: Path, sources: SourceFiles) -> None:
    """Raise a MienError if a file cannot be written, or is one of the sources."""
    refuse_source(path, sources)
    refuse_irregular(path)
    refuse_unwritable(path.parent)


def refuse_unwritable(folder: Path) -> None:
    """Raise a MienError if nothing can be written to a folder, which need not be there yet."""
    try:
        nearest = next(place for place in (folder, *folder.parents) if place.exists())
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise MienError(f"{folder}: cannot be written ({error.strerror})") from error


def short_stem(source: str) -> str:
    """Return a source's name without its suffix, so short that more can be added to it."""
    stem = Path(source).stem or "picture"
    while len(os.fsencode(stem)) > _LONGEST_STEM_BYTES:
        stem = stem[:-1]
    return stem


def _file(path: str | Path) -> tuple[int, int] | None:
    """Return what tells a file from every other; None where there is none."""
    try:
        about = expand_user(path).stat()
    except (MienError, OSError, ValueError):  # ValueError: a path cannot be called so
        return None
    return about.st_dev, about.st_ino
