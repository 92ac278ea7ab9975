from __future__ import annotations

import numpy as np

from mien.vision.sinks._pacing import Pacing
from mien.vision.sources.base import Frame

BLANK = np.zeros((4, 4), np.uint8)


def test_frames_are_as_far_apart_as_they_were_taken():
    pacing = Pacing()
    assert pacing.due(Frame(BLANK, "v", 0, 5.0), 100.0) == 100.0
    assert pacing.due(Frame(BLANK, "v", 1, 5.5), 100.1) == 100.5
    assert pacing.due(Frame(BLANK, "v", 2, 6.0), 100.6) == 101.0
    assert pacing.due(Frame(BLANK, "v", 3, 6.5), 103.0) == 103.0  # late: at once
    assert pacing.due(Frame(BLANK, "v", 4, 7.0), 103.0) == 103.5  # and the next after it
    assert pacing.due(Frame(BLANK, "w", 0, 9.0), 103.6) == 103.6  # another video
    assert pacing.due(Frame(BLANK, "w", 1, 2.0), 103.7) == 103.7  # a clock that runs back


def test_a_photo_is_due_at_once():
    pacing = Pacing()
    assert pacing.due(Frame(BLANK, "a.jpg"), 100.0) == 100.0
    assert pacing.due(Frame(BLANK, "b.jpg"), 100.1) == 100.1
