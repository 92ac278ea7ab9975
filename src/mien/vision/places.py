"""Check the paths of outputs, so that no source is overwritten."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mien.errors import MienError
from mien.io.files import expand_user, refuse_unwritable_file

_MAX_STEM_BYTES: Final = 200  # of the 255 bytes of a file name
_MAX_WORD_BYTES: Final = 30  # beside a stem
_RESERVED: Final = re.compile(r'[\\/:*?"<>|\x00-\x1f]')  # in file names, on some system


class SourceFiles:
    """The files among some sources; it contains every path that leads to one, also through links.

    Args:
        sources: paths and addresses of the sources; an empty string, for pixels, is ignored.
    """

    def __init__(self, sources: Iterable[str] = ()) -> None:
        self._files = {_file(source) for source in sources if source} - {None}

    def __contains__(self, path: str | Path) -> bool:
        return _file(path) in self._files


def refuse_source(path: Path, sources: SourceFiles) -> None:
    """Raise a MienError if an output would replace a source.

    Raises:
        MienError: if `path` leads to one of the sources.
    """
    if path in sources:
        raise MienError(
            f"{path}: is one of the sources, which are never replaced; choose another path"
        )


def refuse_output(path: Path, sources: SourceFiles) -> None:
    """Raise a MienError if an output cannot be written, or would replace a source.

    Raises:
        MienError: if `path` leads to one of the sources, is not a regular file, or its folder
            cannot be written.
    """
    refuse_source(path, sources)
    refuse_unwritable_file(path)


def short_stem(source: str) -> str:
    """Return the stem of a source's name, short enough for a suffix to be added to it."""
    return _cut(Path(source).stem or "picture", _MAX_STEM_BYTES)


def safe_word(word: str) -> str:
    """Return a word, such as the name of a class, as a short part of a file name."""
    return _cut(_RESERVED.sub("_", word), _MAX_WORD_BYTES)


def _cut(text: str, most_bytes: int) -> str:
    while len(os.fsencode(text)) > most_bytes:
        text = text[:-1]
    return text


def _file(path: str | Path) -> tuple[int, int] | None:
    """Return the device and the inode of a file; None if there is none."""
    try:
        status = expand_user(path).stat()
    except (MienError, OSError, ValueError):  # ValueError: the path contains a null character
        return None
    return status.st_dev, status.st_ino
