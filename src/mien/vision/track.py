"""Whose face is whose from frame to frame, and probabilities that do not flicker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.vision.defaults import SMOOTHING_S
from mien.vision.reading import Box

# Lengths are in face sizes, so that the same figures serve near and far faces.
_BOX_NOISE: Final = 0.08  # how far a detector's box jitters about a still face, as a deviation
_FIRST_SPEED: Final = 3.0  # a second; deviation of the speed of a face seen once
_RESTLESSNESS: Final = 1.0  # size² a second³: how readily a face changes its velocity
_REACH_DEVIATIONS: Final = 3.0
_LEAST_REACH, _MOST_REACH = 0.5, 1.5
_MOST_GROWTH: Final = 2.0
_LONGEST_EXTRAPOLATION_S: Final = 0.5  # few faces keep going one way unseen for longer
_FORGOTTEN_AFTER: Final = 20.0  # time constants; what is left of a value by then is 2e-9


class Tracker:
    """Gives the same face the same number in every frame.

    Each track predicts where its face is now, from its velocity and the time that really passed.
    The boxes of a frame go to the tracks whose predictions they fit best, the best pair first.

    Args:
        lost_after_s: a face that was away for no longer than this has its number back; 0 or more.

    Source: Bewley et al., Simple Online and Realtime Tracking, 2016, whose filter this is, with
    distance-IoU (Zheng et al., 2020) for the fit and the best pair first instead of Kuhn's method.
    """

    def __init__(self, *, lost_after_s: float = 1.0) -> None:
        self._lost_after_s = lost_after_s
        self._tracks: list[_Track] = []
        self._newest = 0

    def update(self, boxes: Sequence[Box], seconds: float) -> list[int]:
        """Return the track's number of each box of the next frame, from 1, in the boxes' order.

        Args:
            boxes: left, top, right, bottom of each face in the frame; also of a frame with none.
            seconds: since the video or the stream began. Frames may be missing between two calls.
        """
        self._tracks = [  # a clock that was set back ends the tracks as well
            track for track in self._tracks if abs(seconds - track.seen) <= self._lost_after_s
        ]
        for track in self._tracks:
            track.predict(seconds)
        numbers = [0] * len(boxes)
        for track, index in _assign(self._tracks, boxes):
            track.correct(boxes[index], seconds)
            numbers[index] = track.number
        for index, box in enumerate(boxes):
            if not numbers[index]:
                self._newest += 1
                numbers[index] = self._newest
                self._tracks.append(_Track.begin(self._newest, box, seconds))
        return numbers

    def forget(self) -> None:
        """Lose every face, as where another video begins; their numbers are not given again."""
        self._tracks = []


@dataclass
class _Track:
    """A face that is followed: a Kalman filter of its centre, at constant velocity.

    The centre's two axes share one covariance, in face sizes; pixels cancel out of its gains.
    """

    number: int
    centre: complex  # x + yj: both axes at once
    width: float
    height: float
    seen: float
    now: float
    velocity: complex = 0j
    position_variance: float = _BOX_NOISE**2
    shared_variance: float = 0.0
    velocity_variance: float = _FIRST_SPEED**2

    @classmethod
    def begin(cls, number: int, box: Box, seconds: float) -> _Track:
        return cls(number, *_measure(box), seen=seconds, now=seconds)

    @property
    def reach(self) -> float:
        """How far from its predicted centre the face may be, in pixels."""
        deviation = math.sqrt(self.position_variance + _BOX_NOISE**2)
        sizes = min(max(_REACH_DEVIATIONS * deviation, _LEAST_REACH), _MOST_REACH)
        return sizes * math.sqrt(self.width * self.height)

    def predict(self, seconds: float) -> None:
        step = max(0.0, seconds - self.now)
        moving = max(0.0, min(step, self.seen + _LONGEST_EXTRAPOLATION_S - self.now))
        self.now = max(self.now, seconds)
        self.centre += self.velocity * moving
        self.position_variance += (
            step * (2 * self.shared_variance + step * self.velocity_variance)
            + _RESTLESSNESS * step**3 / 3
        )
        self.shared_variance += step * self.velocity_variance + _RESTLESSNESS * step**2 / 2
        self.velocity_variance += _RESTLESSNESS * step

    def correct(self, box: Box, seconds: float) -> None:
        centre, self.width, self.height = _measure(box)
        total = self.position_variance + _BOX_NOISE**2
        gain = self.position_variance / total
        velocity_gain = self.shared_variance / total
        missed_by = centre - self.centre
        self.centre += gain * missed_by
        self.velocity += velocity_gain * missed_by
        self.velocity_variance -= velocity_gain * self.shared_variance
        self.shared_variance *= 1 - gain
        self.position_variance *= 1 - gain
        self.seen = seconds


def _measure(box: Box) -> tuple[complex, float, float]:
    """Return a box's centre, width and height, at least a pixel each."""
    left, top, right, bottom = (float(edge) for edge in box)
    centre = complex((left + right) / 2, (top + bottom) / 2)
    return centre, max(right - left, 1.0), max(bottom - top, 1.0)


def _assign(tracks: Sequence[_Track], boxes: Sequence[Box]) -> list[tuple[_Track, int]]:
    """Pair tracks with boxes, the best fit first; those with nothing in reach stay alone."""
    if not tracks or not boxes:
        return []
    fits = _fits(tracks, boxes)
    pairs: list[tuple[_Track, int]] = []
    for _ in range(min(fits.shape)):
        row, column = divmod(int(fits.argmax()), len(boxes))
        if fits[row, column] == -np.inf:
            break
        pairs.append((tracks[row], column))
        fits[row] = -np.inf
        fits[:, column] = -np.inf
    return pairs


def _fits(tracks: Sequence[_Track], boxes: Sequence[Box]) -> npt.NDArray[np.float64]:
    """Return the distance-IoU of each track's prediction with each box, -inf where out of reach.

    Shape: (tracks, boxes).
    """
    x, y, width, height, reach = (
        np.array(column)[:, None]
        for column in zip(
            *((t.centre.real, t.centre.imag, t.width, t.height, t.reach) for t in tracks),
            strict=True,
        )
    )
    measured = [_measure(box) for box in boxes]
    box_x, box_y, box_width, box_height = np.array(
        [(centre.real, centre.imag, width, height) for centre, width, height in measured]
    ).T
    low_x, high_x = x - width / 2, x + width / 2
    low_y, high_y = y - height / 2, y + height / 2
    box_low_x, box_high_x = box_x - box_width / 2, box_x + box_width / 2
    box_low_y, box_high_y = box_y - box_height / 2, box_y + box_height / 2
    shared = np.clip(np.minimum(high_x, box_high_x) - np.maximum(low_x, box_low_x), 0, None)
    shared *= np.clip(np.minimum(high_y, box_high_y) - np.maximum(low_y, box_low_y), 0, None)
    area, box_area = width * height, box_width * box_height
    squared_distance = (x - box_x) ** 2 + (y - box_y) ** 2
    around_x = np.maximum(high_x, box_high_x) - np.minimum(low_x, box_low_x)
    around_y = np.maximum(high_y, box_high_y) - np.minimum(low_y, box_low_y)
    fits: npt.NDArray[np.float64] = shared / (area + box_area - shared)
    fits -= squared_distance / (around_x**2 + around_y**2)
    growth = np.sqrt(box_area / area)
    possible = (squared_distance <= reach**2) & (np.maximum(growth, 1 / growth) <= _MOST_GROWTH)
    fits[~possible] = -np.inf
    return fits


class Smoother:
    """Averages each track's probabilities over the recent past, by the time that really passed.

    The weight of what was read falls by 1/e with every time constant, whatever the frame rate and
    however many frames were dropped.

    Args:
        time_constant_s: a change is shown to 63% after this time; 0 leaves all as it was read.
    """

    def __init__(self, time_constant_s: float = SMOOTHING_S) -> None:
        self._time_constant_s = time_constant_s
        self._states: dict[int, tuple[npt.NDArray[np.float64], float]] = {}

    def update(
        self, track: int, probabilities: npt.NDArray[np.float32], seconds: float
    ) -> npt.NDArray[np.float32]:
        """Return a track's probabilities smoothed; its first ones as they are.

        Args:
            track: the face's number, from `Tracker`.
            probabilities: of the seven emotions in this frame.
            seconds: since the video or the stream began.

        Shape: (7,) -> (7,), which sum to 1.
        """
        if self._time_constant_s <= 0:
            return probabilities
        self._forget(seconds)
        smooth = probabilities.astype(np.float64)
        if track in self._states:
            before, then = self._states[track]
            weight = -math.expm1(-max(0.0, seconds - then) / self._time_constant_s)
            smooth = before + weight * (smooth - before)
            smooth /= smooth.sum()
        self._states[track] = smooth, seconds
        return smooth.astype(np.float32)

    def _forget(self, seconds: float) -> None:
        longest = _FORGOTTEN_AFTER * self._time_constant_s
        gone = [key for key, (_, then) in self._states.items() if abs(seconds - then) > longest]
        for key in gone:
            del self._states[key]
