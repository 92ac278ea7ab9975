"""Follow faces from frame to frame, and smooth the probabilities of each."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.vision.defaults import SMOOTHING_S
from mien.vision.reading import Box

# Lengths are in face sizes, so that the same constants serve near and far faces.
_BOX_NOISE: Final = 0.08  # std of a detector's box around a still face
_INITIAL_SPEED: Final = 3.0  # face sizes per second; std of the speed of a new face
_ACCELERATION_NOISE: Final = 1.0  # size² per second³: how readily a face changes its velocity
_REACH_STDS: Final = 3.0
_MIN_REACH, _MAX_REACH = 0.5, 1.5
_MAX_GROWTH: Final = 2.0  # of a face between two frames
_MAX_EXTRAPOLATION_S: Final = 0.5  # few faces that are not found keep their velocity for longer
_LOST_AFTER_STEPS: Final = 2.5  # frames of a slow video
_RECENT_STEPS: Final = 9
_FORGOTTEN_AFTER: Final = 20.0  # time constants; a weight of 2e-9 is left by then


class Tracker:
    """Gives a face the same number in every frame.

    Each track predicts the position of its face from its velocity and the time that has passed.
    Boxes are assigned to the tracks whose predictions they fit best, the best pair first.

    Args:
        lost_after_s: longest absence, in seconds, after which a face keeps its number; 0 or more.
            Where frames are further apart, it is two and a half times their usual distance, so that
            a slow video does not begin anew with each frame.
        numbers: iterator of the numbers of new faces, which several trackers may share.

    Source: Bewley et al., Simple Online and Realtime Tracking, 2016, for the filter; deviations:
    distance-IoU (Zheng et al., 2020) as the fit, and greedy assignment instead of the Hungarian
    algorithm.
    """

    def __init__(self, *, lost_after_s: float = 1.0, numbers: Iterator[int] | None = None) -> None:
        self._lost_after_s = lost_after_s
        self._tracks: list[_Track] = []
        self._numbers = numbers or count(1)
        self._last_s: float | None = None
        self._steps_s: deque[float] = deque(maxlen=_RECENT_STEPS)

    def update(self, boxes: Sequence[Box], seconds: float) -> list[int]:
        """Return the number of the track of each box in the next frame, from 1.

        Args:
            boxes: left, top, right and bottom edge of each face in the frame; there may be none.
            seconds: time since the video or stream began, in seconds. Frames may be missing
                between two calls.
        """
        lost_after_s = self._lost_after(seconds)
        self._tracks = [  # a clock that was set back also ends the tracks
            track for track in self._tracks if abs(seconds - track.last_seen) <= lost_after_s
        ]
        for track in self._tracks:
            track.predict(seconds)
        numbers = [0] * len(boxes)
        for track, index in _assign(self._tracks, boxes):
            track.correct(boxes[index], seconds)
            numbers[index] = track.number
        for index, box in enumerate(boxes):
            if not numbers[index]:
                numbers[index] = next(self._numbers)
                self._tracks.append(_Track.begin(numbers[index], box, seconds))
        return numbers

    def _lost_after(self, seconds: float) -> float:
        """Return the longest absence after which a face keeps its number, at this frame rate."""
        if self._last_s is not None and seconds > self._last_s:
            self._steps_s.append(seconds - self._last_s)
        self._last_s = seconds
        # The longer of the two middle steps: one pause does not make a video slow, but the first
        # step is all that is known of a time lapse.
        usual_s = sorted(self._steps_s)[len(self._steps_s) // 2] if self._steps_s else 0.0
        return max(self._lost_after_s, _LOST_AFTER_STEPS * usual_s)


@dataclass
class _Track:
    """A face that is followed: a Kalman filter of its centre with constant velocity.

    Both axes of the centre share one covariance, in face sizes; pixels cancel out of the gains.
    """

    number: int
    centre: complex  # x + yj, in pixels
    width: float
    height: float
    last_seen: float
    now: float
    velocity: complex = 0j
    position_variance: float = _BOX_NOISE**2
    shared_variance: float = 0.0
    velocity_variance: float = _INITIAL_SPEED**2

    @classmethod
    def begin(cls, number: int, box: Box, seconds: float) -> _Track:
        return cls(number, *_measure(box), last_seen=seconds, now=seconds)

    @property
    def reach(self) -> float:
        """Return the largest distance of the face from its predicted centre, in pixels."""
        std = math.sqrt(self.position_variance + _BOX_NOISE**2)
        sizes = min(max(_REACH_STDS * std, _MIN_REACH), _MAX_REACH)
        return sizes * math.sqrt(self.width * self.height)

    def predict(self, seconds: float) -> None:
        step = max(0.0, seconds - self.now)
        moving = max(0.0, min(step, self.last_seen + _MAX_EXTRAPOLATION_S - self.now))
        self.now = max(self.now, seconds)
        self.centre += self.velocity * moving
        self.position_variance += (
            step * (2 * self.shared_variance + step * self.velocity_variance)
            + _ACCELERATION_NOISE * step**3 / 3
        )
        self.shared_variance += step * self.velocity_variance + _ACCELERATION_NOISE * step**2 / 2
        self.velocity_variance += _ACCELERATION_NOISE * step

    def correct(self, box: Box, seconds: float) -> None:
        centre, self.width, self.height = _measure(box)
        total = self.position_variance + _BOX_NOISE**2
        gain = self.position_variance / total
        velocity_gain = self.shared_variance / total
        error = centre - self.centre
        self.centre += gain * error
        self.velocity += velocity_gain * error
        self.velocity_variance -= velocity_gain * self.shared_variance
        self.shared_variance *= 1 - gain
        self.position_variance *= 1 - gain
        self.last_seen = seconds


def _measure(box: Box) -> tuple[complex, float, float]:
    """Return the centre of a box, and its width and height of at least one pixel."""
    left, top, right, bottom = (float(edge) for edge in box)
    centre = complex((left + right) / 2, (top + bottom) / 2)
    return centre, max(right - left, 1.0), max(bottom - top, 1.0)


def _assign(tracks: Sequence[_Track], boxes: Sequence[Box]) -> list[tuple[_Track, int]]:
    """Return pairs of a track and the index of its box, the best fit first."""
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
    """Return the distance-IoU of each track's prediction and each box; -inf if out of reach.

    Shape: -> (tracks, boxes).
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
    possible = (squared_distance <= reach**2) & (np.maximum(growth, 1 / growth) <= _MAX_GROWTH)
    fits[~possible] = -np.inf
    return fits


class Smoother:
    """Averages the probabilities of each track over the recent past, exponentially in time.

    The weight of a reading falls to 1/e with every time constant, whatever the frame rate is and
    however many frames were dropped.

    Args:
        time_constant_s: time after which 63% of a change is shown, in seconds; 0 for no smoothing.
    """

    def __init__(self, time_constant_s: float = SMOOTHING_S) -> None:
        self._time_constant_s = time_constant_s
        self._states: dict[int, tuple[npt.NDArray[np.float64], float]] = {}

    def update(
        self, track: int, probabilities: npt.NDArray[np.float32], seconds: float
    ) -> npt.NDArray[np.float32]:
        """Return the smoothed probabilities of a track; the first ones are returned unchanged.

        Args:
            track: number of the track, from `Tracker`.
            probabilities: probability of each class in this frame.
            seconds: time since the video or stream began, in seconds.

        Shape: (classes,) -> (classes,); the values sum to 1.
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
