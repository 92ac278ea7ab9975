"""Read an image's size from the header of its file, without decoding the pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

from mien.images.heif import main_image
from mien.images.tiff import HEIGHT, TIFF_MAGIC, WIDTH, tags

Size = tuple[int, int]  # width, height, in pixels

_JP2_STREAM: Final = b"\xff\x4f\xff\x51"  # what is decoded, whatever the boxes around it say
# First bytes of a format, struct format of its width and height, and their offset.
_SIZES_AT: Final = (
    (b"\x89PNG", ">II", 16),
    (b"GIF8", "<HH", 6),
    (_JP2_STREAM, ">II", 8),
)
_JP2_MAGIC: Final = b"\0\0\0\x0cjP  \r\n\x87\n"
_OS2_HEADER_BYTES: Final = 12  # the header of OS/2, whose sizes have 16 bits
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_END: Final = 0xD9
_JPEG_BARE: Final = (0x01, 0xD8)  # markers without a segment
# Among pixels, 0xFF is followed by 0 or begins a restart marker; before a marker it is padding.
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Width and height in the text header of a PNM image, which may have comments.
_GAP: Final = rb"(?:\s|#[^\r\n]*+)++"  # possessive: no header makes the search repeat itself
_PNM: Final = re.compile(rb"P[1-6]" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s")
_PAM: Final = re.compile(rb"P7\s.*?WIDTH\s+(\d{1,9})\s+HEIGHT\s+(\d{1,9})\s", re.DOTALL)
_HEADER_BYTES: Final = 4096  # a longer header of text is refused


def header_size(content: bytes) -> Size:
    """Return the width and height that an image's header states.

    Args:
        content: content of the image file.

    Returns:
        Width and height in pixels before EXIF orientation is applied; zeros if they are unknown.
    """
    try:
        return _stated_size(content)
    except (struct.error, IndexError, OverflowError):
        return 0, 0  # truncated: the decoder reports what is wrong


def _stated_size(content: bytes) -> Size:
    if content.startswith(b"\xff\xd8"):
        return _jpeg_size(content)
    if content.startswith(TIFF_MAGIC):
        found = tags(content)
        return found[WIDTH].value if WIDTH in found else 0, (
            found[HEIGHT].value if HEIGHT in found else 0
        )
    for magic, kind, where in _SIZES_AT:
        if content.startswith(magic):
            width, height = struct.unpack_from(kind, content, where)
            return width, height
    if content.startswith(b"BM"):
        return _bmp_size(content)
    if content.startswith(b"WEBPVP8", 8):
        return _webp_size(content)
    if content.startswith(b"ftyp", 4):  # AVIF or HEIC
        return main_image(content)[:2]
    if content.startswith(_JP2_MAGIC) and (at := content.find(_JP2_STREAM)) > 0:
        width, height = struct.unpack_from(">II", content, at + 8)
        return width, height
    head = content[:_HEADER_BYTES]
    if found_size := _PNM.match(head) or _PAM.match(head):
        return int(found_size[1]), int(found_size[2])
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


def _bmp_size(content: bytes) -> Size:
    """Return the size in the header of a BMP; zeros if it is not one that images have."""
    (header_bytes,) = struct.unpack_from("<I", content, 14)
    is_os2 = header_bytes == _OS2_HEADER_BYTES
    width, height = struct.unpack_from("<HH" if is_os2 else "<ii", content, 18)
    return max(width, 0), abs(height)  # a negative height: stored top row first
