"""How large an image is, from its file's header: before anything is decoded, or instead of it."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

# How a kind of file begins, and how and where it then states its width and height.
_SIZES_AT: Final = (
    (b"\x89PNG", ">II", 16),
    (b"GIF8", "<HH", 6),
    (b"BM", "<ii", 18),
)
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_END: Final = 0xD9
_JPEG_BARE: Final = (0x01, 0xD8)  # markers without a segment
# Among the pixels 0xFF is followed by 0 or is a restart; before a marker it may only fill up.
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

Size = tuple[int, int]  # width, height


def header_size(content: bytes) -> Size:
    """Return the width and height in an image's header, not turned; zeros where unknown."""
    try:
        if content.startswith(b"\xff\xd8"):
            return _jpeg_size(content)
        if content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
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
    except (struct.error, IndexError, OverflowError):  # cut off: let the decoder say what is wrong
        pass
    return 0, 0


def is_whole_jpeg(content: bytes) -> bool:
    """Return whether a JPEG has its own end; that of a preview in one of its segments is not it."""
    return any(marker == _JPEG_END for marker, _ in _jpeg_segments(content))


def _jpeg_size(content: bytes) -> Size:
    for marker, at in _jpeg_segments(content):
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 3)
            return width, height
    return 0, 0


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Give each marker of a JPEG, and where the length of its segment is.

    Source: ITU-T T.81, Digital Compression and Coding of Continuous-tone Still Images, 1992.
    """
    at = 2
    while found := _JPEG_MARKER.search(content, at):
        marker, at = content[found.end() - 1], found.end()
        yield marker, at
        if marker not in _JPEG_BARE:
            at += int.from_bytes(content[at : at + 2], "big")


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
    """Read the first directory of a TIFF, or of a BigTIFF, whose offsets have 64 bits.

    Source: Adobe, TIFF Revision 6.0, 1992; AWare Systems, The BigTIFF File Format, 2008.
    """
    order = "<" if content.startswith(b"I") else ">"
    big = b"+" in content[2:4]
    offset, count, start = ("Q", "Q", 8) if big else ("I", "H", 4)
    (at,) = struct.unpack_from(order + offset, content, start)
    (entries,) = struct.unpack_from(order + count, content, at)
    first, entry_bytes, value_at = (at + 8, 20, 12) if big else (at + 2, 12, 8)
    values = {}
    for entry in range(first, first + entry_bytes * entries, entry_bytes):
        tag, kind = struct.unpack_from(f"{order}HH", content, entry)
        how = {3: "H", 4: "I"}.get(kind, offset)
        (values[tag],) = struct.unpack_from(order + how, content, entry + value_at)
    return values.get(256, 0), values.get(257, 0)
