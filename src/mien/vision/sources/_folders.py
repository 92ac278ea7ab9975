"""List the photos and videos in a folder, or those that match a pattern, and say what is left out.

A file is taken by its suffix; a file without one, by its first bytes.
"""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from mien.errors import SourceError
from mien.images.kinds import HEAD_BYTES, identify

_MAX_SUFFIXES: Final = 6  # that a note counts one by one


class Listing(NamedTuple):
    """Files that were found.

    Args:
        files: photos and videos, by name.
        note: line that counts the other files by suffix; empty if there are none.
    """

    files: list[Path]
    note: str


def list_files(path: Path, suffixes: frozenset[str]) -> Listing | None:
    """Return the photos and videos in a folder or of a pattern; None for a path of one file.

    Hidden files are left out without a word.

    Args:
        path: path of a folder, or a pattern if no file or folder has that name.
        suffixes: suffixes of photos and videos, in lower case.

    Raises:
        SourceError: if the folder cannot be read, or there is no photo or video.
    """
    if is_folder(path):
        try:
            with os.scandir(path) as entries:  # tells files from folders without a stat of each
                files = [Path(entry) for entry in entries if not _is_folder_entry(entry)]
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror})") from None
        return _media(path, files, suffixes, problem="a folder without a")
    if not glob.has_magic(str(path)) or os.path.lexists(path):
        return None
    try:
        # Unlike Path.glob, this skips hidden files and folders.
        matches = [Path(one) for one in glob.iglob(_pattern(path), recursive=True)]  # noqa: PTH207
    except (OSError, ValueError) as error:  # a null character
        raise SourceError(f"{path}: not a pattern of names ({error})") from None
    files = [one for one in matches if not is_folder(one)]
    return _media(path, files, suffixes, problem="a pattern that matches no")


def is_folder(path: Path) -> bool:
    """Return whether a path is that of a folder."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):  # the error is reported when the source is opened
        return False


def _is_folder_entry(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _pattern(path: Path) -> str:
    """Return a path as a pattern in which folders that exist stand for themselves.

    ``photos [1]/*.jpg`` are the photos in the folder of that name.
    """
    parts = list(path.parts)
    for number, part in enumerate(parts):
        if not glob.has_magic(part):
            continue
        if not os.path.lexists(Path(*path.parts[: number + 1])):
            break
        parts[number] = glob.escape(part)
    return str(Path(*parts))


def _media(path: Path, files: Iterable[Path], suffixes: frozenset[str], *, problem: str) -> Listing:
    """Return the photos and videos among some files, by name.

    Raises:
        SourceError: if there are none.
    """
    visible = sorted(one for one in files if not one.name.startswith("."))
    found = [one for one in visible if _is_media(one, suffixes)]
    left = _counts(set(visible) - set(found))
    if not found:
        others = f"; there: {left}" if left else ""
        raise SourceError(
            f"{path}: {problem} photo or video, expected files such as .jpg, .png, .webp or .mp4 "
            f"(for folders in folders write 'FOLDER/**/*', with the quotes){others}"
        )
    count = len(visible) - len(found)
    files_word = "file" if count == 1 else "files"
    note = f"{path}: {count:,} {files_word} left out: {left}" if left else ""
    return Listing(found, note)


def _is_media(path: Path, suffixes: frozenset[str]) -> bool:
    """Return whether a file is a photo or a video by its suffix, or by its first bytes."""
    if path.suffix:
        return path.suffix.lower() in suffixes
    try:
        if not path.is_file():  # a pipe would wait for its writer
            return False
        with path.open("rb") as handle:
            return identify(handle.read(HEAD_BYTES)).group in ("photo", "video")
    except OSError:  # it is counted as left out
        return False


def _counts(files: Iterable[Path]) -> str:
    """Return the number of files of each suffix, such as ``2 .txt, 1 .pdf``."""
    counts = Counter(one.suffix.lower() or "without a suffix" for one in files)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{count:,} {suffix}" for suffix, count in ordered[:_MAX_SUFFIXES]]
    if rest := sum(count for _, count in ordered[_MAX_SUFFIXES:]):
        shown.append(f"{rest:,} others")
    return ", ".join(shown)
