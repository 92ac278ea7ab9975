"""The contract of sources: frames, limits, the base classes, and the registry of openers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Self

from mien.errors import SourceError
from mien.registry import Registry
from mien.types import Image
from mien.vision.defaults import MAX_PIXELS, RETRIES, TIMEOUT_S

Kind = Literal["photos", "video", "live"]
Stop = Callable[[], bool]


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
    """

    image: Image
    source: str = ""
    index: int = 0
    seconds: float | None = None


@dataclass(frozen=True)
class Limits:
    """Limits on the size, the idle time and the retries of a source.

    Args:
        max_pixels: largest number of pixels in one picture.
        timeout_s: idle timeout of an address, in seconds.
        retries: number of consecutive attempts to reopen a broken stream.
    """

    max_pixels: int = MAX_PIXELS
    timeout_s: float = TIMEOUT_S
    retries: int = RETRIES

    @property
    def max_bytes(self) -> int:
        """Return the largest size of an image file, in bytes: four channels of 16 bits."""
        return 8 * self.max_pixels + (1 << 20)

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
        dropped: number of frames of a live source that newer ones replaced before they were read.
    """

    def __init__(
        self, name: str, kind: Kind, *, total: int | None = None, fps: float | None = None
    ) -> None:
        self.name = name
        self.kind = kind
        self.total = total
        self.fps = fps
        self.names: Sequence[str] = [name]
        self.failures: list[SourceError] = []
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


SOURCES: Final[Registry[type[Opener]]] = Registry(
    "source", group="mien.sources", package="mien.vision.sources", base=Opener
)
