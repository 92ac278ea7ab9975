"""Keep the messages of OpenCV and FFmpeg off the terminal while a video is opened."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mien.images.decode import quiet_opencv

_VARIABLE: Final = "OPENCV_FFMPEG_LOGLEVEL"
_QUIET: Final = "-8"  # FFmpeg's AV_LOG_QUIET


class _Openings:
    """Number of videos that threads are opening, and whether the variable is set for them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.is_ours = False


_openings: Final = _Openings()


@contextmanager
def quiet_video() -> Iterator[None]:
    """Silence OpenCV inside this block, and FFmpeg for the videos that are opened in it.

    OpenCV reads FFmpeg's level from an environment variable when a process first uses FFmpeg, so
    FFmpeg is silent unless the process has opened a video by OpenCV before. The variable belongs to
    the whole process: the first thread to enter sets it, and the last to leave removes it. A level
    that the user has set stays.
    """
    with _openings.lock:
        if _openings.count == 0:
            _openings.is_ours = _VARIABLE not in os.environ
        if _openings.is_ours:
            os.environ[_VARIABLE] = _QUIET
        _openings.count += 1
    try:
        with quiet_opencv:
            yield
    finally:
        with _openings.lock:
            _openings.count -= 1
            if _openings.count == 0 and _openings.is_ours:
                os.environ.pop(_VARIABLE, None)
