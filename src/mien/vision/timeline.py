"""How long each person of a video showed which expression, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.labels import EMOTIONS, NUM_CLASSES
from mien.vision.reading import Frame, Reading

UNCERTAIN: Final = "uncertain"
BIN_S: Final = 0.5
_ASSUMED_STEP_S: Final = 1 / 25  # of a single frame
_LONGEST_GAP_S: Final = 1.0  # a frame stands for no longer than this, whatever came after


@dataclass
class Person:
    """One followed face.

    Args:
        track: its number.
        first_s: when it was first seen, in seconds.
        last_s: when it was last seen.
        seconds: how long it was seen in all.
        seconds_of: how long it was read as each emotion, or as uncertain.
        bins: sums of probabilities over each half second, by its number: what to draw.
    """

    track: int
    first_s: float
    last_s: float
    seconds: float = 0.0
    seconds_of: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys((*EMOTIONS, UNCERTAIN), 0.0)
    )
    bins: dict[int, npt.NDArray[np.float64]] = field(default_factory=dict)

    def shares(self) -> dict[str, float]:
        """Return the share of its time that each emotion, or uncertainty, had; they sum to 1."""
        whole = sum(self.seconds_of.values())
        return {name: part / whole if whole else 0.0 for name, part in self.seconds_of.items()}

    def curve(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the bins' middles in seconds and the mean probabilities in each.

        Shape: (B,), (B, 7).
        """
        numbers = sorted(self.bins)
        sums = np.stack([self.bins[number] for number in numbers])
        return (np.array(numbers) + 0.5) * BIN_S, sums / sums.sum(1, keepdims=True)


class Timeline:
    """Adds up a video's readings as they come; what it keeps grows with seconds, not frames."""

    def __init__(self) -> None:
        self._people: dict[int, Person] = {}
        self._waiting: tuple[float, list[Reading]] | None = None
        self._step_s = _ASSUMED_STEP_S
        self.seconds = 0.0
        self.frames = 0

    def add(self, frame: Frame, readings: list[Reading]) -> None:
        """Take in a frame's readings; photos, which have no time, are left out."""
        if frame.seconds is None:
            return
        self._settle(frame.seconds)
        self._waiting = (frame.seconds, readings)
        self.seconds = max(self.seconds, frame.seconds)  # of several videos, the longest
        self.frames += 1
        for reading in readings:
            if reading.track is None:
                continue
            person = self._people.setdefault(
                reading.track, Person(reading.track, frame.seconds, frame.seconds)
            )
            person.last_s = frame.seconds
            number = int(frame.seconds / BIN_S)
            sums = person.bins.setdefault(number, np.zeros(NUM_CLASSES))
            sums += [reading.probabilities[emotion] for emotion in EMOTIONS]

    def people(self) -> list[Person]:
        """Return everybody who was followed, those seen longest first; once all frames are in."""
        self._settle(None)
        return sorted(self._people.values(), key=lambda person: (-person.seconds, person.track))

    def _settle(self, now: float | None) -> None:
        """Count the frame before for as long as it stood; a video's last as long as its own."""
        if self._waiting is None:
            return
        since, readings = self._waiting
        self._waiting = None
        if now is not None and now > since:
            self._step_s = min(now - since, _LONGEST_GAP_S)
        stood = self._step_s
        for reading in readings:
            if reading.track is not None:
                person = self._people[reading.track]
                person.seconds += stood
                person.seconds_of[UNCERTAIN if reading.uncertain else reading.emotion] += stood
