"""Convert the pixels of CSV rows from text to bytes, a block of rows at a time."""

from __future__ import annotations

from typing import Final

import numpy as np

from mien.errors import DataError
from mien.images.crop import MAX_SIZE_PX, MIN_SIZE_PX, CropSpec
from mien.types import Crop, Images

_SIDES: Final = {side * side: side for side in range(MIN_SIZE_PX, MAX_SIZE_PX + 1)}


def side_of(text: bytes) -> int:
    """Return the side of the square image in a row, in pixels; FER-2013's if it is not square."""
    return _SIDES.get(len(text.split()), CropSpec.size_px)


def parse_pixels(texts: list[bytes], side_px: int) -> Images | None:
    """Return the pixels of rows of numbers; None if any row holds anything else.

    Shape: -> uint8 (n, side_px, side_px).
    """
    num_pixels = side_px * side_px
    # Three separators in front, so that three characters precede every number.
    text = np.frombuffer(b"\n\n\n" + b"\n".join(texts) + b"\n", np.uint8)
    digits = text - np.uint8(ord("0"))  # wraps around: everything but 0-9 becomes more than 9
    is_digit = digits < 10
    if not np.all(is_digit | (text == ord(" ")) | (text == ord("\n"))):
        return None
    (ends,) = np.nonzero(is_digit[:-1] & ~is_digit[1:])  # the last digit of every number
    row_ends = np.nonzero(text == ord("\n"))[0][3:]
    if len(ends) != len(texts) * num_pixels:
        return None
    if np.any(np.searchsorted(ends, row_ends) != np.arange(1, len(texts) + 1) * num_pixels):
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
    return values.astype(np.uint8).reshape(-1, side_px, side_px)


def parse_row_pixels(text: bytes, side_px: int) -> Crop:
    """Return the pixels of one row.

    Shape: -> uint8 (side_px, side_px).

    Raises:
        DataError: at the first pixel that is wrong; the message continues "row 17".
    """
    words = text.split()
    num_pixels = side_px * side_px
    if len(words) != num_pixels:
        raise DataError(f"has {len(words):,} pixels, expected {num_pixels:,} ({side_px}x{side_px})")
    for position, word in enumerate(words, start=1):
        if not word.isdigit() or len(word) > 20 or int(word) > 255:
            shown = word[:20].decode("utf-8", "replace")
            raise DataError(f"has {shown!r} as pixel {position:,}, expected 0 to 255")
    return np.array([int(word) for word in words], np.uint8).reshape(side_px, side_px)
