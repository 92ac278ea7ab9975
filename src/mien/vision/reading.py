"""What goes into reading and what comes out: a Frame, and a Reading of each face in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mien.data.pixels import Image

Box = tuple[int, int, int, int]


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
