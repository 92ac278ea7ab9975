"""Pace the frames of a video on a screen, so that they appear at their original speed."""

from __future__ import annotations

from mien.vision.sources.base import Frame


class Pacing:
    """Times at which frames are due; a late frame is due at once, and delays those after it."""

    def __init__(self) -> None:
        self._source = ""
        self._seconds = self._shown = 0.0

    def due(self, frame: Frame, now: float) -> float:
        """Return the time at which a frame is due, in seconds, by the clock of `now`.

        Args:
            frame: next frame; a photo, and the first frame of a video, are due at once.
            now: current time, in seconds, of any clock that never runs backwards.
        """
        due = now
        if frame.seconds is not None:
            if frame.source == self._source and frame.seconds > self._seconds:
                due = max(now, self._shown + frame.seconds - self._seconds)
            self._source, self._seconds, self._shown = frame.source, frame.seconds, due
        return due
