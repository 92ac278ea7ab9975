"""Default limits and settings of sources and readers.

They have a module of their own because the command line shows them in its help, without importing
OpenCV.
"""

from __future__ import annotations

from typing import Final

from mien.io.limits import PIXELS

MAX_PIXELS: Final = PIXELS.default  # of one picture
TIMEOUT_S: Final = 5.0  # idle timeout of an address
RETRIES: Final = 5  # consecutive attempts to reopen a broken stream
SMOOTHING_S: Final = 0.3  # time constant of a face's probabilities
