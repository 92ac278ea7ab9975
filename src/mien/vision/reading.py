"""What goes into reading and what comes out: a Source of Frames, and a Reading of each face."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from mien.errors import SourceError
from mien.types import Image

Box = tuple[int, int, int, int]
Kind = Literal["photos", "video", "live"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Args:
        image: its pixels. Shape: uint8 (height, width, 3), blue-green-red, or gray (height, width).
        source: the path or address that it is from; an empty string for an array.
        index: its number within a video or a stream, from 0; 0 for a photo.
        seconds: since the video or the stream began; None for a photo.
    """

    image: Image
    source: str = ""
    index: int = 0
    seconds: float | None = None


class Source(ABC):
    """Frames to iterate over; made by `mien.vision.sources.open.open_source`.

    It holds a device or a file: use it in a ``with`` block, or close it. Closing from another
    thread ends an iteration that is under way.

    Args:
        name: the path or address; an empty string for pixels.
        kind: ``photos``; ``video``, of which every frame comes in order; or ``live``, which gives
            the newest frame and never lags. A list, folder or pattern is ``live`` with a camera or
            an address in it that has no photo's name, else ``video`` with a video in it.
        total: how many frames or photos there are, where that is known.
        fps: frames a second, as the file or the device says, where it does.

    Attributes:
        names: the paths and addresses of all that is in it; an empty string for pixels.
        failures: what could not be read in the iteration so far, or only in part.
        dropped: frames of a live source that newer ones replaced before they were asked for.
        over: may be set to what a live source asks, some five times a second while it waits for a
            frame, whether to end: a camera or a stream may be silent for long.
        lingers: whether it still waits for a silent stream, though closed; until that wait times
            out Python cannot end.
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
        self.over: Callable[[], bool] = lambda: False
        self.lingers = False

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Give the Frames one by one.

        Raises:
            SourceError: if the source is a single one and nothing of it can be read.
        """

    @abstractmethod
    def close(self) -> None:
        """End the iteration and let go of the device or the file; safe to repeat."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Reading:
    """One face in one frame.

    Args:
        source: the path or address of the picture, or an empty string for an array.
        box: left, top, right, bottom, in pixels of the picture.
        score: how sure the detector is that this is a face, 0 to 1.
        emotion: the most probable one.
        probabilities: of the seven emotions, which sum to 1.
        uncertain: whether that one is less probable than the Bundle's threshold, so that it is
            better taken for no answer; never, where the Bundle has no threshold.
        frame: number of the frame within a video or a stream, from 0; 0 for a photo.
        seconds: since the video or the stream began; None for a photo.
        track: number of the face, the same in every frame of a video or a stream in which it was
            followed, from 1; None for a photo.
        tilt_degrees: how far the line through the eyes is turned clockwise from level; it is turned
            back before the face is read. 0 where the detector does not know the eyes.
    """

    source: str
    box: Box
    score: float
    emotion: str
    probabilities: dict[str, float]
    uncertain: bool = False
    frame: int = 0
    seconds: float | None = None
    track: int | None = None
    tilt_degrees: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        return {**vars(self), "box": list(self.box)}
