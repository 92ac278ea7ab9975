"""Frames that a program makes one by one, and folders of photos that are the frames of a video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mien.errors import SourceError
from mien.vision.sources.base import (
    ALL_FRAMES,
    SOURCES,
    Frame,
    Kind,
    Limits,
    Opener,
    Selection,
    Source,
    Stop,
)

_EXPECTED: Final = (
    "expected a picture, a pair of a picture and its time in seconds, or a Frame; for paths use a "
    "list"
)

# Opens one picture, and returns its pixels as a frame.
OpenPicture = Callable[[object], Frame]


@dataclass(frozen=True, eq=False)
class FrameIterator:
    """Spec of frames from an iterator or a generator.

    Args:
        frames: iterator of pictures, of pairs of a picture and its time in seconds, or of Frames.
        open_picture: function that returns a picture (an array, a PIL image, the content of an
            image file) as a frame.
    """

    frames: Iterator[Any]
    open_picture: OpenPicture


@dataclass(frozen=True, eq=False)
class FrameFolder:
    """Spec of photos that are the frames of a video.

    Args:
        name: folder or pattern that they come from.
        photos: photos in the order of their frames.
        fps: frames per second.
        open_picture: function that returns a photo as a frame.
    """

    name: str
    photos: Sequence[object]
    fps: float
    open_picture: OpenPicture


class _FrameSource(Source):
    """Frames of one of the two specs, counted, timed and selected."""

    def __init__(self, name: str, kind: Kind, *, stop: Stop, **about: Any) -> None:
        super().__init__(name, kind, **about)
        self._stop = stop
        self._selection = ALL_FRAMES
        self._is_closed = False
        self._first: int | None = None  # number of the first selected frame

    def select(self, selection: Selection) -> None:
        """Yield only the selected frames (see `Source.select`)."""
        self._selection = selection

    def close(self) -> None:
        """End the iteration."""
        self._is_closed = True

    def _wants(self, index: int, seconds: float | None) -> bool:
        """Return whether a frame is selected; one without a time only by its number."""
        wanted = self._selection
        if seconds is not None and seconds < wanted.start_s:
            return False
        if self._first is None:
            self._first = index
        return (index - self._first) % wanted.every == 0

    def _is_over(self, seconds: float | None) -> bool:
        end_s = self._selection.end_s
        is_past = seconds is not None and end_s is not None and seconds >= end_s
        return is_past or self._is_closed or self._stop()


class IteratorSource(_FrameSource):
    """Frames of an iterator, each read before the next one is requested.

    It is a ``live`` source, since the iterator may be a camera of the user's program. An iterator
    can be read once.
    """

    reads_ahead = False

    def __init__(self, spec: FrameIterator, stop: Stop) -> None:
        super().__init__("", "live", stop=stop)
        self._spec = spec
        self._is_used = False

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; a picture that cannot be read is added to ``failures``."""
        if self._is_used:
            raise SourceError("the frames of an iterator were read once; make a new iterator")
        self._is_used = True
        for index, element in enumerate(self._spec.frames):
            try:
                frame = self._frame(index, element)
            except SourceError as error:
                self.failures.append(SourceError(f"frame {index:,}: {error}"))
                continue
            if self._is_over(frame.seconds):
                return
            if self._wants(index, frame.seconds):
                yield frame

    def _frame(self, index: int, element: Any) -> Frame:
        if isinstance(element, Frame):
            return element
        seconds = None
        if isinstance(element, tuple) and len(element) == 2:
            element, seconds = element
            if isinstance(seconds, bool) or not isinstance(seconds, int | float | np.number):
                raise SourceError(f"a time of type {type(seconds).__name__}; {_EXPECTED}")
            seconds = float(seconds)
        if isinstance(element, str | tuple | list):
            raise SourceError(f"an element of type {type(element).__name__}; {_EXPECTED}")
        return Frame(self._spec.open_picture(element).image, "", index, seconds)


class FolderSource(_FrameSource):
    """Photos as the frames of a video."""

    def __init__(self, spec: FrameFolder, stop: Stop) -> None:
        super().__init__(spec.name, "video", stop=stop, total=len(spec.photos), fps=spec.fps)
        self._spec = spec

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; a photo that cannot be read is added to ``failures``."""
        self._is_closed, self._first = False, None
        self.failures.clear()
        for index, photo in enumerate(self._spec.photos):
            seconds = index / self._spec.fps
            if self._is_over(seconds):
                return
            if not self._wants(index, seconds):
                continue
            try:
                image = self._spec.open_picture(photo).image
            except SourceError as error:
                self.failures.append(error)
                continue
            yield Frame(image, self.name, index, seconds)


@SOURCES.register("frames")
class FramesOpener(Opener):
    """Opens the two specs of this module."""

    def opens(self, spec: object) -> bool:
        """Return whether a spec is one of frames."""
        return isinstance(spec, FrameIterator | FrameFolder)

    def kind(self, spec: object) -> Kind:
        """Return ``live`` for an iterator, ``video`` for a folder of frames."""
        return "live" if isinstance(spec, FrameIterator) else "video"

    def name(self, spec: object) -> str:
        """Return the folder or the pattern; an empty string for an iterator."""
        return spec.name if isinstance(spec, FrameFolder) else ""

    def open(self, spec: Any, *, limits: Limits, stop: Stop) -> Source:
        """Return the source of the frames."""
        return (
            FolderSource(spec, stop)
            if isinstance(spec, FrameFolder)
            else IteratorSource(spec, stop)
        )
