"""The contract of sources: frames, limits, the base classes, and the registry of openers."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, Protocol, Self, TypeAlias

from mien.errors import SourceError
from mien.io.limits import PIXELS, image_bytes
from mien.registry import Registry
from mien.types import Image
from mien.vision.defaults import RETRIES, TIMEOUT_S

Kind = Literal["photos", "video", "live"]
Color = Literal["bgr", "rgb"]  # order of the channels of arrays
Stop = Callable[[], bool]


class PilImage(Protocol):
    """An image of PIL."""

    mode: str

    @property
    def size(self) -> tuple[int, int]:
        """Return the width and the height in pixels."""


class BinaryFile(Protocol):
    """An open file, or an object like it, such as ``io.BytesIO``."""

    def read(self, size: int = ..., /) -> bytes:
        """Return the next bytes."""


def never() -> bool:
    """Return False: the stop condition of a source that is read to its end."""
    return False


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Args:
        image: pixels of the picture. Shape: uint8 (height, width, 3), blue-green-red, or gray
            (height, width).
        source: path or address that the picture comes from; an empty string for an array.
        index: number of the frame in its video or stream, from 0; 0 for a photo.
        seconds: time since the video or stream began, in seconds; None for a photo.
        item: position, from 0, of the picture's item in the list of sources that was given, or of
            its file in the folder or pattern that was given alone; 0 for a single source.
    """

    image: Image
    source: str = ""
    index: int = 0
    seconds: float | None = None
    item: int = 0


@dataclass(frozen=True)
class Selection:
    """The frames of a video or a stream that are wanted; all of them by default.

    Args:
        every: 1 for every frame, n for the first one and every n-th one after it.
        start_s: time of the first wanted frame, in seconds since the video began.
        end_s: time at which the wanted part ends, in seconds since the video or stream began; None
            for its end.

    Raises:
        SourceError: if `every` is less than 1, or the part is empty.
    """

    every: int = 1
    start_s: float = 0.0
    end_s: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise SourceError(f"every = {self.every}: expected 1 for every frame, or more")
        if not 0 <= self.start_s < (math.inf if self.end_s is None else self.end_s):
            raise SourceError(
                f"the part from {self.start_s:g} s to {self.end_s} s is empty; expected a start of "
                "0 s or more, and an end after it"
            )


ALL_FRAMES: Final = Selection()


@dataclass(frozen=True)
class Limits:
    """Limits on the size, the idle time and the retries of a source.

    Args:
        max_pixels: largest number of pixels in one picture; by default the limit that holds
            everywhere (`mien.io.limits.PIXELS`).
        timeout_s: idle timeout of an address, in seconds.
        retries: number of consecutive attempts to reopen a broken stream.
    """

    max_pixels: int = field(default_factory=lambda: PIXELS.value)
    timeout_s: float = TIMEOUT_S
    retries: int = RETRIES

    @property
    def max_bytes(self) -> int:
        """Return the largest size of an image file, in bytes."""
        return image_bytes(self.max_pixels)

    def check_pixels(self, name: str, pixels: int) -> None:
        """Raise a SourceError if a picture is too large.

        Raises:
            SourceError: if `pixels` is above the limit.
        """
        if pixels > self.max_pixels:
            raise SourceError(
                f"{name}: {pixels / 1e6:,.1f} million pixels, more than the limit of "
                f"{self.max_pixels / 1e6:,.1f} million; if the picture is meant to be that large, "
                f"raise it with --max-pixels {pixels}"
            )


class Source(ABC):
    """Frames to iterate over, as `mien.vision.sources.open_source` returns them.

    A source holds a device or a file: use it in a ``with`` block, or close it. Closing it from
    another thread ends an iteration that is under way.

    Args:
        name: path or address of the source; an empty string for pixels.
        kind: ``photos``; ``video``, which yields every frame in order; or ``live``, which yields
            the newest frame and never lags behind. A list, a folder or a pattern is ``live`` if it
            contains a camera, or an address without a photo's suffix; else ``video`` if it
            contains a video.
        total: number of frames or photos; None if it is unknown.
        fps: frames per second, as stated by the file or the device; None if unknown.

    Attributes:
        names: path or address of each part of the source; an empty string for pixels.
        failures: errors of the current iteration: parts that could not be read, or not completely.
        notes: suspicious things that were read all the same, such as frames of a single value.
        dropped: number of frames of a live source that newer ones replaced before they were read.
        reads_ahead: whether frames may be requested before earlier ones have been read.
    """

    reads_ahead: bool = True

    def __init__(
        self, name: str, kind: Kind, *, total: int | None = None, fps: float | None = None
    ) -> None:
        self.name = name
        self.kind = kind
        self.total = total
        self.fps = fps
        self.names: Sequence[str] = [name]
        self.failures: list[SourceError] = []
        self.notes: list[str] = []
        self.dropped = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames one by one.

        Raises:
            SourceError: if the source is a single one and nothing of it can be read.
        """

    @abstractmethod
    def close(self) -> None:
        """End the iteration and release the device or the file; safe to repeat."""

    def select(self, selection: Selection) -> None:
        """Yield only the selected frames from now on; a photo is always yielded.

        A source that can do so overrides this.

        Raises:
            SourceError: if it is a video or a stream that cannot be read in part.
        """
        if self.kind != "photos" and selection != ALL_FRAMES:
            raise SourceError(
                f"{self.name}: cannot be read in part; leave out every, start_s and end_s"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Opener(ABC):
    """One kind of source: recognizes its specs, and opens them.

    A spec is a user's description of a source: a path, a number, an address or an array. Every
    opener is registered in `SOURCES`, and is created without arguments.

    Attributes:
        suffixes: suffixes, in lower case, of the files that a folder or a pattern contributes.
        is_fallback: whether the opener is tried after all others.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset()
    is_fallback: ClassVar[bool] = False

    @abstractmethod
    def opens(self, spec: object) -> bool:
        """Return whether a spec names a source of this kind; nothing is opened."""

    @abstractmethod
    def kind(self, spec: object) -> Kind:
        """Return the kind that a spec is expected to be, by its name alone."""

    @abstractmethod
    def open(self, spec: object, *, limits: Limits, stop: Stop) -> Source:
        """Open a source.

        Args:
            spec: spec that `opens` accepts.
            limits: limits on the source.
            stop: condition that ends the iteration; a live source checks it while it waits.

        Raises:
            SourceError: if there is no such source, or it cannot be read.
        """

    def name(self, spec: object) -> str:
        """Return the name by which a spec is shown: no passwords; an empty string for pixels."""
        return str(spec)


# What is read: see `mien.vision.sources.open_source`. The last two may hold any of the others.
SourceLike: TypeAlias = (
    "str | os.PathLike[str] | os.PathLike[bytes] | int | bytes | bytearray | memoryview | Image "
    "| PilImage | BinaryFile | Source | Sequence[Any] | Iterator[Any]"
)

SOURCES: Final[Registry[type[Opener]]] = Registry(
    "source", group="mien.sources", package="mien.vision.sources", base=Opener
)
