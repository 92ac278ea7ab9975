"""What is asked of a source and a reader unless somebody says otherwise.

Apart, because the command line shows these figures in its help without importing what reads.
"""

from __future__ import annotations

from typing import Final

MAX_PIXELS: Final = 100_000_000  # of a picture
SILENCE_S: Final = 5.0  # of an address
RETRIES: Final = 5  # in a row, of a stream that broke off
SMOOTHING_S: Final = 0.3
