"""Read an image's size from the header of its file, without decoding the pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

from mien.images.decode import decode_image

Size = tuple[int, int]  # width, height, in pixels

# First bytes of a format, struct format of its width and height, and their offset.
_SIZES_AT: Final = (
    (b"\x89PNG", ">II", 16),
    (b"GIF8", "<HH", 6),
    (b"BM", "<ii", 18),
)
# A file with one of these signatures may have an orientation that swaps width and height.
_MAY_BE_TURNED: Final = (b"Exif", b"eXIf", b"EXIF")
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_END: Final = 0xD9
_JPEG_BARE: Final = (0x01, 0xD8)  # markers without a segment
# Among pixels, 0xFF is followed by 0 or begins a restart marker; before a marker it is padding.
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def image_size(content: bytes, name: str) -> Size:
    """Return an upright image's width and height, from its header if that is enough.

    Args:
        content: content of the image file.
        name: name of the image in errors.

    Raises:
        DataError: if the size needs decoding, and the image cannot be decoded.
    """
    if not any(mark in content for mark in _MAY_BE_TURNED):
        size = header_size(content)
        if min(size) > 0:  # a JPEG may state its height at its end
            return size
    height, width = decode_image(content, name).shape[:2]
    return width, height


def header_size(content: bytes) -> Size:
    """Return the width and height that an image's header states.

    Args:
        content: content of the image file.

    Returns:
        Width and height in pixels before EXIF orientation is applied; zeros if they are unknown.
    """
    try:
        if content.startswith(b"\xff\xd8"):
            return _jpeg_size(content)
        if content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
            return _tiff_size(content)
        for magic, kind, where in _SIZES_AT:
            if content.startswith(magic):
                width, height = struct.unpack_from(kind, content, where)
                return abs(width), abs(height)  # negative in a BMP stored top row first
        if content.startswith(b"WEBPVP8", 8):
            return _webp_size(content)
        if content.startswith(b"ftyp", 4) and (at := content.find(b"ispe")) > 0:  # AVIF
            width, height = struct.unpack_from(">II", content, at + 8)
            return width, height
    except (
        struct.error,
        IndexError,
        OverflowError,
    ):
        pass  # truncated: the decoder reports what is wrong
    return 0, 0


def is_whole_jpeg(content: bytes) -> bool:
    """Return whether a JPEG has its end marker; that of an embedded preview does not count."""
    return any(marker == _JPEG_END for marker, _ in _jpeg_segments(content))


def _jpeg_size(content: bytes) -> Size:
    for marker, at in _jpeg_segments(content):
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 3)
            return width, height
    return 0, 0


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker of a JPEG with the offset of its segment's length.

    Source: ITU-T T.81, Digital Compression and Coding of Continuous-tone Still Images, 1992.
    """
    at = 2
    while found := _JPEG_MARKER.search(content, at):
        marker, at = content[found.end() - 1], found.end()
        yield marker, at
        if marker not in _JPEG_BARE:
            at += int.from_bytes(content[at : at + 2], "big")


def _webp_size(content: bytes) -> Size:
    """Return the size in the header of a WebP file (RFC 9649, WebP Image Format, 2024)."""
    if content[15:16] == b"L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if content[15:16] == b"X":
        width = int.from_bytes(content[24:27], "little")
        return width + 1, int.from_bytes(content[27:30], "little") + 1
    width, height = struct.unpack_from("<HH", content, 26)  # 14 bits of size, 2 of scale
    return width & 0x3FFF, height & 0x3FFF


def _tiff_size(content: bytes) -> Size:
    """Return the size in the first directory of a TIFF or BigTIFF (offsets of 64 bits).

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
