"""The number and the time of the current frame of a video or a stream, and which are selected."""

from __future__ import annotations

import math
import time
from typing import Final

import numpy as np

from mien.types import Image
from mien.vision.sources.base import Frame, Selection

ROUNDING_S: Final = 1e-6  # of timestamps


class VideoProgress:
    """One pass over a video: the number and the time of the current frame, and what was yielded.

    Args:
        name: name of the video.
        selection: wanted frames.
        step_s: time from a frame to the next one, where timestamps do not tell.
    """

    def __init__(self, name: str, selection: Selection, step_s: float) -> None:
        self.index = 0
        self.seconds = 0.0
        self.count = 0  # of the frames that were yielded
        self.blank = 0  # of these
        self.is_past_end = False
        self._name, self._selection, self._step_s = name, selection, step_s
        self._is_first = True
        self._in_part = 0

    @property
    def length_s(self) -> float:
        """Return the length of the video up to the current frame, in seconds."""
        return self.seconds + self._step_s

    def advance(self, timestamp_s: float) -> bool:
        """Set the time of the current frame; return False if it is after the selected part."""
        if self._is_first:
            self.seconds, self._is_first = max(timestamp_s, 0.0), False
        else:  # timestamps may be missing or run backwards
            is_later = timestamp_s > self.seconds
            self.seconds = timestamp_s if is_later else self.seconds + self._step_s
        self.is_past_end = self.seconds >= or_infinite(self._selection.end_s) - ROUNDING_S
        return not self.is_past_end

    def is_wanted(self) -> bool:
        """Return whether the current frame is selected."""
        if self.seconds < self._selection.start_s - ROUNDING_S:
            return False
        self._in_part += 1
        return (self._in_part - 1) % self._selection.every == 0

    def frame(self, image: Image) -> Frame:
        """Return the current frame with its pixels."""
        self.count += 1
        self.blank += _has_one_colour(image)
        return Frame(image, self._name, self.index, self.seconds)


class LiveProgress:
    """The number and the time of the current frame of a live source.

    Args:
        selection: wanted frames.
    """

    def __init__(self, selection: Selection) -> None:
        self.index = 0
        self._selection = selection
        self._start_s: float | None = None
        self._first = 0  # number of the first wanted frame
        self.seconds = 0.0

    def is_past_end(self) -> bool:
        """Set the time of a new frame, and return whether the selected part is over."""
        now = time.monotonic()
        self._start_s = now if self._start_s is None else self._start_s
        self.seconds = now - self._start_s
        if self.seconds < self._selection.start_s:
            self._first = self.index + 1
        return self.seconds >= or_infinite(self._selection.end_s)

    def is_wanted(self) -> bool:
        """Return whether the current frame is selected."""
        since = self.index - self._first
        return since >= 0 and since % self._selection.every == 0


def _has_one_colour(image: Image) -> bool:
    """Return whether all pixels of a frame are the same; a few of them decide nearly always.

    Shape: uint8 (height, width, 3).
    """
    height, width = image.shape[:2]
    for some in (image[:: height // 4 + 1, :: width // 4 + 1], image[height // 2], image):
        if not np.array_equal(some, np.broadcast_to(image[0, 0], some.shape)):
            return False
    return True


def or_infinite(seconds: float | None) -> float:
    """Return a time; infinity for None, the end of a video."""
    return math.inf if seconds is None else seconds
