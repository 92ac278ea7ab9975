"""Open a photo, a video, a camera, a stream, or several of them, as one Source."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.errors import SourceError
from mien.types import Image
from mien.vision.defaults import MAX_PIXELS, RETRIES, TIMEOUT_S
from mien.vision.sources._several import SUPPORTED, Part, SeveralSources, open_one
from mien.vision.sources._specs import as_path, is_path
from mien.vision.sources.base import SOURCES, Kind, Limits, Opener, Source, Stop, never
from mien.vision.sources.photo import wrong_array


def open_source(
    source: object,
    *,
    max_pixels: int = MAX_PIXELS,
    timeout_s: float = TIMEOUT_S,
    retries: int = RETRIES,
    stop: Stop | None = None,
) -> Source:
    """Open a photo, a video, a camera, a stream, or several of these.

    Args:
        source: path of a photo, a video, or a folder, whose photos and videos are taken in the
            order of their names, without subfolders; a glob pattern (``**`` for folders at any
            depth); number of a camera, as an integer or as text; http, https or rtsp address;
            picture as an array or a PIL image; content of an image file; or a list of any of these.
        max_pixels: largest number of pixels in one picture; a larger one is refused before it is
            decoded.
        timeout_s: idle timeout of an address, in seconds.
        retries: number of consecutive attempts to reopen a broken stream, after pauses of 0.5 s,
            1 s, 2 s and so on.
        stop: condition that ends the iteration when it returns True. A video checks it before each
            frame; a camera or a stream also checks it five times per second while no frame comes.

    Returns:
        The source, to iterate over. Of several photos or videos, one that cannot be read is left
        out and listed in ``failures``; a single one raises its error.

    Raises:
        SourceError: if there is no such source, or it cannot be read.

    Shape: an array is uint8 (height, width), (height, width, 3), blue-green-red, or (height,
    width, 4), blue-green-red-alpha, whose alpha channel is ignored.
    """
    while isinstance(source, list | tuple) and len(source) == 1:
        (source,) = source
    limits, stop, openers = Limits(max_pixels, timeout_s, retries), stop or never, _openers()
    specs = _expand(source, openers)
    if specs is None:
        return open_one(Part.of(source, openers), limits=limits, stop=stop)
    parts = [Part.of(spec, openers) for spec in specs]
    name = "" if isinstance(source, list | tuple) else str(source)
    return SeveralSources(name, parts, limits=limits, stop=stop)


def open_picture(
    source: object, *, max_pixels: int = MAX_PIXELS, timeout_s: float = TIMEOUT_S
) -> tuple[Image, str]:
    """Return the pixels of a single picture and its name, which is empty for pixels.

    Args:
        source: path or http address of an image file, its content, a PIL image or an array.
        max_pixels: largest number of pixels; a larger picture is refused before it is decoded.
        timeout_s: idle timeout of an address, in seconds.

    Raises:
        SourceError: if there is no such picture, or the array is not uint8 gray or colour.
    """
    if isinstance(source, np.ndarray) and source.ndim == 3 and source.shape[2] == 4:
        raise wrong_array(source)
    if is_path(source) and _is_folder(path := as_path(source)):
        raise SourceError(f"{path}: a folder, expected an image file")
    part = Part.of(source, _openers())
    with open_one(part, limits=Limits(max_pixels, timeout_s), stop=never) as opened:
        if opened.kind != "photos":
            raise SourceError(f"{opened.name}: a {opened.kind} source, expected a photo")
        frame = next(iter(opened))
    return frame.image, frame.source


def expected_kind(spec: object) -> Kind:
    """Return the kind that a single source is expected to be, by its name alone."""
    return Part.of(spec, _openers()).kind


def _openers() -> list[Opener]:
    """Return an opener of each registered kind, in the order in which they are tried."""
    openers = [opener() for opener in SOURCES.all().values()]
    return sorted(openers, key=lambda opener: opener.is_fallback)


def _expand(source: object, openers: Sequence[Opener]) -> list[object] | None:
    """Return the specs in a list, a folder or a pattern; None for a single source.

    An item of a list that cannot be expanded becomes its error, which is raised when its turn
    comes.
    """
    if isinstance(source, list | tuple):
        if not source:
            raise SourceError(f"an empty list, {SUPPORTED}")
        specs: list[object] = []
        for item in source:
            try:
                specs += _expand(item, openers) or [item]
            except SourceError as error:
                specs.append(error)
        return specs
    if not is_path(source):
        return None
    path = as_path(source)
    if _is_folder(path):
        try:
            with os.scandir(path) as entries:  # tells files from folders without a stat of each
                files = [Path(entry) for entry in entries if entry.is_file()]
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror})") from None
        return _media(path, files, openers, problem="a folder without a")
    if glob.has_magic(str(path)) and not _exists(path):
        # Unlike Path.glob, this skips hidden files and folders.
        matches = [Path(one) for one in glob.iglob(str(path), recursive=True)]  # noqa: PTH207
        files = [one for one in matches if one.is_file()]
        return _media(path, files, openers, problem="a pattern that matches no")
    return None


def _media(
    path: Path, files: Sequence[Path], openers: Sequence[Opener], *, problem: str
) -> list[object]:
    """Return the photos and videos among some files, by name."""
    suffixes = frozenset().union(*(opener.suffixes for opener in openers))
    found: list[object] = [
        one
        for one in sorted(files)
        if one.suffix.lower() in suffixes and not one.name.startswith(".")
    ]
    if not found:
        raise SourceError(
            f"{path}: {problem} photo or video, expected files such as .jpg, .png, .webp or .mp4 "
            "(for folders in folders write 'FOLDER/**/*', with the quotes)"
        )
    return found


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):  # the error is reported when the source is opened
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
