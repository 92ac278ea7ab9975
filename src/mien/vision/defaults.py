"""Default limits and settings of sources and readers.

They have a module of their own because the command line shows them in its help, without importing
OpenCV.
"""

from __future__ import annotations

from typing import Final

MAX_PIXELS: Final = 100_000_000  # pixels of one picture
TIMEOUT_S: Final = 5.0  # idle timeout of an address
RETRIES: Final = 5  # consecutive attempts to reopen a broken stream
SMOOTHING_S: Final = 0.3  # time constant of a face's probabilities
