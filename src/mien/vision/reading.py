"""The result of reading one face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels


@dataclass(frozen=True, repr=False)
class Reading:
    """One face in one frame.

    Args:
        source: path or address of the picture; ``item 2`` for pixels in a list of sources, and an
            empty string for pixels alone.
        box: left, top, right and bottom edge of the face, in pixels of the picture.
        score: confidence of the detector that this is a face, 0 to 1.
        emotion: name of the most probable class.
        probabilities: probability of each class by its name, in the Bundle's order; they sum to 1.
        uncertain: whether the highest probability is below the Bundle's threshold, so that the
            reading is best treated as no answer; False if the Bundle has no threshold.
        frame: number of the frame in its video or stream, from 0; 0 for a photo.
        seconds: time since the video or stream began, in seconds; None for a photo.
        track: number of the face, from 1, which it keeps in every frame of a video or stream while
            it is followed; None for a photo.
        tilt_degrees: clockwise angle of the line through the eyes; the face is turned level before
            it is read. 0 if the detector does not locate eyes.
        item: position, from 0, of the picture's item in the list of sources that was given, or of
            its file in the folder or pattern that was given alone; 0 for a single source.
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
    item: int = 0

    @property
    def probability(self) -> float:
        """The probability of `emotion`, from 0 to 1."""
        return self.probabilities[self.emotion]

    def as_dict(self) -> dict[str, Any]:
        """Return the reading as plain data, ready for JSON."""
        return {**vars(self), "box": list(self.box), "probabilities": dict(self.probabilities)}

    def __hash__(self) -> int:
        return hash((self.source, self.item, self.frame, self.track, self.box, self.emotion))

    def __repr__(self) -> str:
        place = [f"source={self.source!r}"] if self.source else []
        if self.seconds is not None:
            place.append(f"seconds={self.seconds:.2f}")
        if self.track is not None:
            place.append(f"track={self.track}")
        answer = f"{self.emotion} {self.probability:.2f}{', uncertain' * self.uncertain}"
        return f"<Reading {', '.join([answer, f'box={self.box}', *place])}>"
