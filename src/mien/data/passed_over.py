"""Tell which files in the folder of a data set are not read, so that none is left out unnoticed."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mien.data.formats._files import walk_files
from mien.data.formats._image_files import drawn_mark
from mien.data.formats.base import Source
from mien.images.decode import IMAGE_SUFFIXES

_SHOWN: Final = 3  # files that a note names
_SHARD: Final = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.parquet", re.IGNORECASE)


def describe_passed_over(paths: Sequence[Path], source: Source) -> list[str]:
    """Return lines about files beside those that a data set is read from.

    Args:
        paths: files or folder that the user named as the data set.
        source: files that it is read from.

    Raises:
        DataError: if a folder cannot be listed.
    """
    notes = _missing_shards(source.files)
    root = paths[0]
    if not root.is_dir():
        return notes
    read = {os.path.normpath(path) for path in source.files}
    if any(path.is_dir() for path in source.files[:1]):  # a plugin's layout that names its folder
        return notes
    read.add(os.path.normpath(drawn_mark(root)))
    others = [path for path in walk_files(root) if os.path.normpath(path) not in read]
    images = [path for path in others if path.suffix.lower() in IMAGE_SUFFIXES]
    rest = [path for path in others if path.suffix.lower() not in IMAGE_SUFFIXES]
    if images:
        notes.append(
            f"{_count(images, 'image file')} left out, since no file of the data set names them "
            f"({_names(images, root)})"
        )
    if rest:
        notes.append(f"{_count(rest, 'other file')} not read ({_names(rest, root)})")
    return notes


def _count(paths: list[Path], noun: str) -> str:
    return f"{len(paths):,} {noun}{'s were' if len(paths) > 1 else ' was'}"


def _names(paths: list[Path], root: Path) -> str:
    """Return the names of the first files."""
    names = [str(path.relative_to(root)) for path in paths[:_SHOWN]]
    return ", ".join(names + ["…"] * (len(paths) > _SHOWN))


def _missing_shards(files: Sequence[Path]) -> list[str]:
    """Return a line for each set of Parquet shards (``train-00000-of-00002``) that lacks some."""
    shards: dict[tuple[str, int], set[int]] = defaultdict(set)
    for path in files:
        if found := _SHARD.fullmatch(path.name):
            shards[found[1], int(found[3])].add(int(found[2]))
    return [
        f"only {len(numbers)} of the {count} Parquet files of {name} are read "
        f"({name}-NUMBER-of-{count:05})"
        for (name, count), numbers in shards.items()
        if len(numbers) < count
    ]
