"""Everything that faces are read from, as one kind of thing: a Source, iterated for Frames."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mien.errors import SourceError
from mien.types import Image
from mien.vision.defaults import MAX_PIXELS, RETRIES, SILENCE_S
from mien.vision.reading import Frame, Kind, Source
from mien.vision.sources.photo import PHOTO_SUFFIXES, Limits, wrong_array
from mien.vision.sources.single import (
    SUPPORTED,
    as_path,
    is_address,
    is_number,
    is_path,
    kind_by_name,
    open_one,
    shown_name,
)
from mien.vision.sources.video import VIDEO_SUFFIXES

__all__ = ["PHOTO_SUFFIXES", "VIDEO_SUFFIXES", "Source", "open_picture", "open_source"]


def open_source(
    source: object,
    *,
    max_pixels: int = MAX_PIXELS,
    timeout_s: float = SILENCE_S,
    retries: int = RETRIES,
) -> Source:
    """Open whatever faces can be read from.

    Args:
        source: the path of a photo, a video, or a folder, whose photos and videos are taken by
            name without those of folders in it; a pattern (``**`` for folders at any depth); the
            number of a camera, also as text; an http, https or rtsp address; a picture as array,
            PIL image or the bytes of an image file; or a list of any of these.
        max_pixels: of one picture; larger ones are refused before they are decoded.
        timeout_s: how long an address may be silent.
        retries: how often in a row a stream that broke off is opened again, after pauses of 0.5 s,
            1 s, 2 s and so on.

    Returns:
        What to iterate over. Of several photos or videos a bad one is left out and noted in
        ``failures``; of a single one it is an error.

    Raises:
        SourceError: if there is nothing there, or not what can be read.

    Shape: an array is uint8 (height, width), (height, width, 3), blue-green-red, or (height,
    width, 4), blue-green-red-alpha, whose alpha is left out.
    """
    limits = Limits(max_pixels, timeout_s, retries)
    if isinstance(source, list | tuple) and len(source) == 1:
        return open_source(source[0], max_pixels=max_pixels, timeout_s=timeout_s, retries=retries)
    members = _members(source)
    if members is not None:
        name = "" if isinstance(source, list | tuple) else str(source)
        return _Several(members, name, limits)
    return open_one(source, limits)


def open_picture(
    source: object, *, max_pixels: int = MAX_PIXELS, timeout_s: float = SILENCE_S
) -> tuple[Image, str]:
    """Return a single picture's pixels and its name, an empty string for pixels.

    Args:
        source: the path or http address of an image file, its bytes, a PIL image or an array.
        max_pixels: larger ones are refused before they are decoded.
        timeout_s: how long an address may be silent.

    Raises:
        SourceError: if it is missing, no image, or an array that is not uint8 gray or colour.
    """
    if isinstance(source, np.ndarray) and source.ndim == 3 and source.shape[2] == 4:
        raise wrong_array(source)
    if is_path(source) and _is_folder(path := as_path(source)):
        raise SourceError(f"{path}: a folder, expected an image file")
    with open_one(source, Limits(max_pixels, timeout_s)) as opened:
        if opened.kind != "photos":
            raise SourceError(f"{opened.name}: a {opened.kind} source, expected a photo")
        frame = next(iter(opened))
    return frame.image, frame.source


class _Several(Source):
    """Several sources, each opened when its turn comes; a SourceError among them is said then."""

    def __init__(self, members: list[object], name: str, limits: Limits) -> None:
        kinds = {kind_by_name(member) for member in members}
        kind: Kind = "live" if "live" in kinds else "video" if "video" in kinds else "photos"
        super().__init__(name, kind, total=len(members) if kind == "photos" else None)
        self.names = [shown_name(member) for member in members]
        self._members = members
        self._limits = limits
        self._closed = False
        self._current: Source | None = None

    def __iter__(self) -> Iterator[Frame]:
        self.failures.clear()
        for number, member in enumerate(self._members, 1):
            if self._closed:
                return
            try:
                if isinstance(member, SourceError):
                    raise member
                self._current = open_one(member, self._limits)
                self._current.over = self.over
                with self._current as current:
                    if self._closed:  # while it was opened
                        return
                    if self.kind == "photos" and current.kind != "photos":
                        raise SourceError(
                            f"{current.name}: a video or a stream, though called like a photo; "
                            "name it alone"
                        )
                    try:
                        yield from current
                    finally:
                        self.failures += current.failures
                        self.dropped += current.dropped
                        self.lingers |= current.lingers
            except SourceError as error:
                nameless = not is_path(member) and not isinstance(member, SourceError)
                where = f"number {number:,}: " if nameless else ""
                self.failures.append(SourceError(f"{where}{error}"))

    def close(self) -> None:
        self._closed = True
        if self._current is not None:
            self._current.close()


def _members(source: object) -> list[object] | None:
    """Return what a list, a folder or a pattern holds; None for a single source."""
    if isinstance(source, list | tuple):
        if not source:
            raise SourceError(f"an empty list, {SUPPORTED}")
        found: list[object] = []
        for item in source:
            try:
                found += _members(item) or [item]
            except SourceError as error:  # said in its turn: the others are read
                found.append(error)
        return found
    if not is_path(source) or is_address(source) or is_number(source):
        return None
    path = as_path(source)
    if _is_folder(path):
        try:
            with os.scandir(path) as entries:  # which knows files without asking for each
                inside = [Path(entry) for entry in entries if entry.is_file()]
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror})") from None
        return _media(path, inside, "a folder without a")
    if glob.has_magic(str(path)) and not _exists(path):
        # Unlike Path.glob, this leaves hidden files and folders out.
        paths = [Path(one) for one in glob.iglob(str(path), recursive=True)]  # noqa: PTH207
        files = [one for one in paths if one.is_file()]
        return _media(path, files, "a pattern that matches no")
    return None


def _media(path: Path, candidates: list[Path], without: str) -> list[object]:
    known = PHOTO_SUFFIXES | VIDEO_SUFFIXES
    found: list[object] = [
        one
        for one in sorted(candidates)
        if one.suffix.lower() in known and not one.name.startswith(".")
    ]
    if not found:
        raise SourceError(
            f"{path}: {without} photo or video, expected files such as .jpg, .png, .webp or .mp4 "
            "(for folders in folders write 'FOLDER/**/*', with the quotes)"
        )
    return found


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):  # what is wrong is said where it is opened
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
