"""Open a photo, a video, a camera, a stream, or several of them, as one Source."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

import numpy as np

from mien.errors import SourceError
from mien.io.limits import PIXELS
from mien.types import Image
from mien.vision.defaults import RETRIES, TIMEOUT_S
from mien.vision.sources._folders import is_folder, list_files
from mien.vision.sources._opening import SUPPORTED, Opening, Part
from mien.vision.sources._several import SeveralSources
from mien.vision.sources._specs import as_path, is_path, suffix_of
from mien.vision.sources.animation import ANIMATED_SUFFIXES, Animation
from mien.vision.sources.base import (
    SOURCES,
    Color,
    Frame,
    Kind,
    Limits,
    Opener,
    Selection,
    Source,
    SourceLike,
    Stop,
    never,
)
from mien.vision.sources.frames import FrameFolder, FrameIterator
from mien.vision.sources.photo import wrong_array


def open_source(
    source: SourceLike,
    *,
    color: Color = "bgr",
    every: int = 1,
    start_s: float = 0.0,
    end_s: float | None = None,
    fps: float | None = None,
    animated: bool = False,
    as_items: bool = False,
    max_pixels: int | None = None,
    timeout_s: float = TIMEOUT_S,
    retries: int = RETRIES,
    stop: Stop | None = None,
) -> Source:
    """Open a photo, a video, a camera, a stream, or several of these.

    Args:
        source: path of a photo, a video, or a folder, whose photos and videos are taken in the
            order of their names, without subfolders; a glob pattern (``**`` for folders at any
            depth); number of a camera, as an integer or as text, or path of its device; http, https
            or rtsp address; data URI; picture as an array or a PIL image; content of an image or a
            video file, as bytes or as an open file; a list of any of these; or an iterator of
            pictures, of pairs of a picture and its time in seconds, or of Frames. The cameras and
            streams in a list are read at the same time, after everything else in it.
        color: order of the channels of arrays: ``bgr``, as OpenCV has them, or ``rgb``.
        every: 1 for every frame of videos and streams, n for the first and every n-th one after it.
        start_s: time of the first wanted frame of videos and streams, in seconds.
        end_s: time at which the wanted part ends, in seconds; None for the end.
        fps: frame rate at which photos are the frames of one video, in the order of the numbers in
            their names; None for photos by themselves.
        animated: whether animated GIF, PNG, WebP and AVIF files are videos, instead of their first
            frame as a photo.
        as_items: whether the files of a folder in a list of one are all item 0, as they are in a
            longer list, instead of an item each.
        max_pixels: largest number of pixels in one picture; a larger one is refused before it is
            decoded. None for ``MIEN_MAX_PIXELS`` (100 million).
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
    while isinstance(source, list | tuple) and len(source) == 1 and not as_items:
        (source,) = source
    if isinstance(source, Source):
        return source
    most = PIXELS.value if max_pixels is None else max_pixels
    limits, stop, openers = Limits(most, timeout_s, retries), stop or never, _openers()
    opening = Opening(openers, limits, stop, Selection(every, start_s, end_s))

    def prepared(spec: object) -> object:
        """Return a spec in the form that its opener accepts."""
        if _is_iterator(spec):
            return FrameIterator(spec, open_picture_of)
        if animated and suffix_of(spec) in ANIMATED_SUFFIXES:
            return Animation(spec)
        return in_bgr(spec, color)

    def open_picture_of(spec: object) -> Frame:
        return opening.open_picture(in_bgr(spec, color))

    notes: list[str] = []
    specs = _expand(source, openers, notes)
    name = "" if isinstance(source, list | tuple) else _name(source)
    if fps is not None:
        opened = opening.open(_frame_folder(name, specs, fps, opening))
        opened.notes += notes
        return opened
    if specs is None:
        return opening.open(prepared(source))
    parts = [opening.part(prepared(spec), item) for item, spec in specs]
    several = SeveralSources(name, parts, opening)
    several.notes += notes
    return several


def in_bgr(spec: object, color: Color) -> object:
    """Return an array with its channels in the order of OpenCV; any other spec as it is.

    Raises:
        SourceError: if there is no such order of channels.
    """
    if color not in ("bgr", "rgb"):
        raise SourceError(f"color = {color!r}: expected 'bgr', as OpenCV has it, or 'rgb'")
    if color == "bgr" or not isinstance(spec, np.ndarray):
        return spec
    if spec.ndim == 3 and spec.shape[2] in (3, 4):
        return np.ascontiguousarray(spec[..., 2::-1])  # also drops the alpha channel
    return spec


def _is_iterator(spec: object) -> TypeGuard[Iterator[Any]]:
    """Return whether a spec is an iterator of frames; an open file is one of lines."""
    return isinstance(spec, Iterator) and not hasattr(spec, "read")


def _name(source: object) -> str:
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else ""


def _frame_folder(
    name: str, specs: Sequence[tuple[int, object]] | None, fps: float, opening: Opening
) -> FrameFolder:
    """Return the photos among some specs as the frames of a video.

    Raises:
        SourceError: if the frame rate is not positive, or not all of them are photos.
    """
    if not 0 < fps < math.inf:
        raise SourceError(f"fps = {fps:g}: expected a number of frames per second above 0")
    if specs is None:
        raise SourceError(
            f"{name or 'the source'}: fps is for a folder, a pattern or a list of photos that are "
            "the frames of a video; leave it out for anything else"
        )
    photos = [spec for _, spec in specs]
    for photo in photos:
        part = opening.part(photo)
        if part.kind != "photos":
            raise SourceError(f"{part.name}: expected photos only, as the frames of a video (fps)")
    if name:  # the files of a folder or a pattern, in the order of their numbers
        photos.sort(key=lambda photo: _natural(os.fspath(photo)))  # type: ignore[call-overload]
    return FrameFolder(name, photos, fps, opening.open_picture)


def _natural(path: str) -> list[tuple[int, str]]:
    """Return a sort key by which frame 9 comes before frame 10."""
    return [
        (int(word), "") if word.isdecimal() else (-1, word) for word in re.split(r"(\d+)", path)
    ]


def open_picture(
    source: SourceLike,
    *,
    color: Color = "bgr",
    max_pixels: int | None = None,
    timeout_s: float = TIMEOUT_S,
) -> tuple[Image, str]:
    """Return the pixels of a single picture and its name, which is empty for pixels.

    Args:
        source: path or http address of an image file, its content, a PIL image or an array.
        color: order of the channels of an array: ``bgr`` or ``rgb``.
        max_pixels: largest number of pixels; a larger picture is refused before it is decoded. None
            for ``MIEN_MAX_PIXELS`` (100 million).
        timeout_s: idle timeout of an address, in seconds.

    Raises:
        SourceError: if there is no such picture, or the array is not uint8 gray or colour.
    """
    if isinstance(source, np.ndarray) and source.ndim == 3 and source.shape[2] == 4:
        raise wrong_array(source)
    if is_path(source) and is_folder(path := as_path(source)):
        raise SourceError(f"{path}: a folder, expected an image file")
    most = PIXELS.value if max_pixels is None else max_pixels
    opening = Opening(_openers(), Limits(most, timeout_s), never)
    frame = opening.open_picture(in_bgr(source, color))
    return frame.image, frame.source


def expected_kind(spec: object) -> Kind:
    """Return the kind that a single source is expected to be, by its name alone."""
    return Part.of(spec, _openers()).kind


def _openers() -> list[Opener]:
    """Return an opener of each registered kind, in the order in which they are tried."""
    openers = [opener() for opener in SOURCES.all().values()]
    return sorted(openers, key=lambda opener: opener.is_fallback)


def _expand(
    source: object, openers: Sequence[Opener], notes: list[str]
) -> list[tuple[int, object]] | None:
    """Return the specs in a list, a folder or a pattern with their items; None for a single source.

    An item of a list that cannot be expanded becomes its error, which is raised when its turn
    comes. Lines about files that are left out are added to ``notes``.
    """
    if isinstance(source, list | tuple):
        if not source:
            raise SourceError(f"an empty list, {SUPPORTED}")
        specs: list[tuple[int, object]] = []
        for item, spec in enumerate(source):
            try:
                found = _expand(spec, openers, notes) or [(item, spec)]
            except SourceError as error:
                found = [(item, error)]
            specs += [(item, part) for _, part in found]
        return specs
    if not is_path(source):
        return None
    path = as_path(source)
    listing = list_files(path, frozenset().union(*(opener.suffixes for opener in openers)))
    if listing is None:
        return None
    if listing.note:
        notes.append(listing.note)
    return list(enumerate(listing.files))
