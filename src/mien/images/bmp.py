"""Find what is wrong with a BMP before OpenCV decodes it to wrong pixels, or to none.

Source: Microsoft, Bitmap Structures (BITMAPFILEHEADER, BITMAPV5HEADER), 2021.
"""

from __future__ import annotations

import struct
from typing import Final

_FILE_HEADER_BYTES: Final = 14
_OS2_BYTES: Final = 12
_MASKS_INSIDE_BYTES: Final = 56  # headers of this size or more hold the colour masks
_MASKS_AT: Final = 54
_UNCOMPRESSED, _BIT_FIELDS = 0, 3
_COMPRESSIONS: Final = {4: "a JPEG", 5: "a PNG", 11: "CMYK", 12: "CMYK", 13: "CMYK"}
_USUAL_MASKS: Final = (0x00FF0000, 0x0000FF00, 0x000000FF)
_BITS: Final = (1, 4, 8, 16, 24, 32)


def problem(content: bytes) -> str:
    """Return why a BMP would not be decoded rightly; an empty string if nothing is known."""
    try:
        return _problem(content)
    except struct.error:
        return "a BMP that is cut off in its header"


def _problem(content: bytes) -> str:
    start, header_bytes = struct.unpack_from("<II", content, 10)
    if header_bytes == _OS2_BYTES:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
        compression = _UNCOMPRESSED
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", content, 18)
    if width <= 0 or height == 0:
        return f"a BMP of a width of {width} and a height of {height} pixels"
    if compression in _COMPRESSIONS:
        return f"a BMP that holds {_COMPRESSIONS[compression]}"
    if bits not in _BITS:
        return f"a BMP of {bits} bits in a pixel instead of 1, 4, 8, 16, 24 or 32"
    if start < _FILE_HEADER_BYTES + header_bytes:
        return "a BMP whose header is damaged: its pixels would begin inside the header"
    if compression == _BIT_FIELDS and bits == 32 and header_bytes < _MASKS_INSIDE_BYTES:
        masks = struct.unpack_from("<III", content, _MASKS_AT)
        if masks != _USUAL_MASKS:
            return "a BMP of unusual colour masks"
    if compression in (_UNCOMPRESSED, _BIT_FIELDS):
        needed = start + (width * bits + 31) // 32 * 4 * abs(height)
        if 2 * len(content) < needed:  # of a little less the decoder says so
            has = f"it has {len(content):,} bytes"
            return f"a BMP that is cut off: its header promises {needed:,} bytes, and {has}"
    return ""
