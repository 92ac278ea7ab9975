"""How large an image is, from its file's header: before anything is decoded, or instead of it."""

from __future__ import annotations

import struct
from typing import Final

# How a kind of file begins, and how and where it then states its width and height.
_SIZES_AT: Final = (
    (b"\x89PNG", ">II", 16),
    (b"GIF8", "<HH", 6),
    (b"BM", "<ii", 18),
)
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

Size = tuple[int, int]  # width, height


def promised_size(content: bytes) -> Size:
    """Return the width and height in an image's header, not turned; zeros where unknown."""
    try:
        if content.startswith(b"\xff\xd8"):
            return _jpeg_size(content)
        if content.startswith((b"II*\0", b"MM\0*")):
            return _tiff_size(content)
        for magic, kind, where in _SIZES_AT:
            if content.startswith(magic):
                width, height = struct.unpack_from(kind, content, where)
                return abs(width), abs(height)  # a BMP's is negative where it is upside down
        if content.startswith(b"WEBPVP8", 8):
            return _webp_size(content)
        if content.startswith(b"ftyp", 4) and (at := content.find(b"ispe")) > 0:  # AVIF
            width, height = struct.unpack_from(">II", content, at + 8)
            return width, height
    except (struct.error, IndexError):  # cut off: let the decoder say what is wrong
        pass
    return 0, 0


def _jpeg_size(content: bytes) -> Size:
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        # 0xFF before a marker only fills up; after any other comes the length of what it holds.
        at += 1 if marker == 0xFF else 2 + struct.unpack_from(">H", content, at + 2)[0]
    return 0, 0


def _webp_size(content: bytes) -> Size:
    """Source: RFC 9649, WebP Image Format, 2024."""
    if content[15:16] == b"L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if content[15:16] == b"X":
        width = int.from_bytes(content[24:27], "little")
        return width + 1, int.from_bytes(content[27:30], "little") + 1
    width, height = struct.unpack_from("<HH", content, 26)  # 14 bits are the size, 2 a scale
    return width & 0x3FFF, height & 0x3FFF


def _tiff_size(content: bytes) -> Size:
    """Source: Adobe, TIFF Revision 6.0, 1992, section 2."""
    order = "<" if content.startswith(b"I") else ">"
    (at,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, at)
    values = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", content, entry)
        (values[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), content, entry + 8)
    return values.get(256, 0), values.get(257, 0)
