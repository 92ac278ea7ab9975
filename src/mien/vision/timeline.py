"""The timeline of a video: when each person showed which expression, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.vision.reading import Reading
from mien.vision.sources.base import Frame

_UNCERTAIN: Final = "uncertain"
_OTHER_UNCERTAIN: Final = "no answer"  # where a class is called uncertain
BIN_S: Final = 0.5
SHORTEST_S: Final = 0.3  # a face that is followed for less is often a false detection
_ASSUMED_STEP_S: Final = 1 / 25  # duration of a single frame
_MAX_STEP_S: Final = 1.0  # a frame counts for no longer than this, however late the next one is


@dataclass
class Person:
    """One face that was followed.

    Args:
        track: number of the track.
        first_s: time of the first frame with the face, in seconds.
        last_s: time of the last frame with the face, in seconds.
        seconds_of: time of each class and of uncertain readings, in seconds.
        seconds: total time with the face, in seconds.
        bins: sum of the probabilities in each half second, by the number of the half second.
    """

    track: int
    first_s: float
    last_s: float
    seconds_of: dict[str, float]
    seconds: float = 0.0
    bins: dict[int, npt.NDArray[np.float64]] = field(default_factory=dict)

    def shares(self) -> dict[str, float]:
        """Return the share of time of each class and of uncertain readings; they sum to 1."""
        whole = sum(self.seconds_of.values())
        return {name: part / whole if whole else 0.0 for name, part in self.seconds_of.items()}

    def curve(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the middle of each bin, in seconds, and its mean probabilities.

        Shape: -> (bins,), (bins, classes).
        """
        numbers = sorted(self.bins)
        sums = np.stack([self.bins[number] for number in numbers])
        return (np.array(numbers) + 0.5) * BIN_S, sums / sums.sum(1, keepdims=True)


class Timeline:
    """Adds up the readings of a video; its memory grows with the seconds, not with the frames.

    Args:
        curves: whether to keep the probabilities of each half second; without them, memory grows
            with the number of faces alone.

    Attributes:
        names: names of the classes, in order; empty until a face is followed.
        seconds: time of the last frame, in seconds; for several videos, that of the longest one.
        frames: number of frames.
    """

    def __init__(self, *, curves: bool = True) -> None:
        self._curves = curves
        self._people: dict[int, Person] = {}
        self._waiting: tuple[float, Sequence[Reading]] | None = None
        self._step_s = _ASSUMED_STEP_S
        self.names: tuple[str, ...] = ()
        self.seconds = 0.0
        self.frames = 0

    def add(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add the readings of a frame; photos, which have no time, are ignored."""
        if frame.seconds is None:
            return
        self._settle(frame.seconds)
        self._waiting = (frame.seconds, readings)
        self.seconds = max(self.seconds, frame.seconds)
        self.frames += 1
        for reading in readings:
            if reading.track is None:
                continue
            self.names = self.names or tuple(reading.probabilities)
            if reading.track not in self._people:
                nothing = dict.fromkeys(self.columns, 0.0)
                self._people[reading.track] = Person(
                    reading.track, frame.seconds, frame.seconds, nothing
                )
            person = self._people[reading.track]
            person.last_s = frame.seconds
            if not self._curves:
                continue
            number = int(frame.seconds / BIN_S)
            sums = person.bins.setdefault(number, np.zeros(len(self.names)))
            sums += [reading.probabilities[name] for name in self.names]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the classes, and that of uncertain readings, which no class has."""
        is_taken = _UNCERTAIN in self.names
        return (*self.names, _OTHER_UNCERTAIN if is_taken else _UNCERTAIN)

    def people(self) -> list[Person]:
        """Return all followed faces, the longest on screen first; call it after the last frame."""
        self._settle(None)
        return sorted(self._people.values(), key=lambda person: (-person.seconds, person.track))

    def _settle(self, now: float | None) -> None:
        """Count the previous frame until `now`; a video's last frame as long as the one before."""
        if self._waiting is None:
            return
        since, readings = self._waiting
        self._waiting = None
        if now is not None and now > since:
            self._step_s = min(now - since, _MAX_STEP_S)
        for reading in readings:
            if reading.track is not None:
                person = self._people[reading.track]
                person.seconds += self._step_s
                answer = self.columns[-1] if reading.uncertain else reading.emotion
                person.seconds_of[answer] += self._step_s
