"""Convert the pixels of CSV rows from text to bytes, a block of rows at a time."""

from __future__ import annotations

from typing import Final

import numpy as np

from mien.errors import DataError
from mien.images.crop import SIZE_PX
from mien.types import Images

NUM_PIXELS: Final = SIZE_PX * SIZE_PX


def parse_pixels(texts: list[bytes]) -> Images | None:
    """Return the pixels of rows of numbers, (n, 2304); None if any row holds anything else."""
    # Three separators in front, so that three characters precede every number.
    text = np.frombuffer(b"\n\n\n" + b"\n".join(texts) + b"\n", np.uint8)
    digits = text - np.uint8(48)  # wraps around: everything but 0-9 becomes more than 9
    is_digit = digits < 10
    if not np.all(is_digit | (text == 32) | (text == 10)):
        return None
    (ends,) = np.nonzero(is_digit[:-1] & ~is_digit[1:])  # the last digit of every number
    row_ends = np.nonzero(text == 10)[0][3:]
    if len(ends) != len(texts) * NUM_PIXELS:
        return None
    if np.any(np.searchsorted(ends, row_ends) != np.arange(1, len(texts) + 1) * NUM_PIXELS):
        return None

    has_tens = is_digit[ends - 1]
    has_hundreds = has_tens & is_digit[ends - 2]
    if np.any(has_hundreds & is_digit[ends - 3]):
        return None  # four digits
    values = digits[ends].astype(np.uint16)
    values += 10 * np.where(has_tens, digits[ends - 1], 0).astype(np.uint16)
    values += 100 * np.where(has_hundreds, digits[ends - 2], 0).astype(np.uint16)
    if values.max(initial=0) > 255:
        return None
    return values.astype(np.uint8).reshape(-1, NUM_PIXELS)


def parse_row_pixels(text: bytes) -> Images:
    """Return the pixels of one row, (2304,).

    Raises:
        DataError: at the first pixel that is wrong; the message continues "row 17".
    """
    words = text.split()
    if len(words) != NUM_PIXELS:
        raise DataError(f"has {len(words):,} pixels, expected {NUM_PIXELS:,} ({SIZE_PX}x{SIZE_PX})")
    for position, word in enumerate(words, start=1):
        if not word.isdigit() or len(word) > 20 or int(word) > 255:
            shown = word[:20].decode("utf-8", "replace")
            raise DataError(f"has {shown!r} as pixel {position:,}, expected 0 to 255")
    return np.array([int(word) for word in words], np.uint8)
