"""When the frames of a video are due on a screen: as far apart as they were taken."""

from __future__ import annotations

from mien.vision.reading import Frame


class Pace:
    """Says when to show each frame; what comes late is shown at once, and the next follow it."""

    def __init__(self) -> None:
        self._source = ""
        self._seconds = self._shown = 0.0

    def due(self, frame: Frame, now: float) -> float:
        """Return the time, by the clock of ``now``, at which a frame is to be shown.

        Args:
            frame: the next one; a photo, and the first of a video, are due now.
            now: in seconds, by any clock that does not run back.
        """
        due = now
        if frame.seconds is not None:
            if frame.source == self._source and frame.seconds > self._seconds:
                due = max(now, self._shown + frame.seconds - self._seconds)
            self._source, self._seconds, self._shown = frame.source, frame.seconds, due
        return due
