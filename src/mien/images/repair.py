"""Check PNG files before libpng reads them, and repair those that are truncated or damaged.

libpng decodes nothing of a truncated or damaged PNG, and prints warnings to the terminal, even for
the colour profiles of intact files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np

PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"

_USED: Final = (b"PLTE", b"tRNS", b"eXIf")  # needed to decode and orient the pixels
_FIRST: Final = (b"IHDR",)
_PLAIN: Final = (b"IDAT", b"IEND", b"PLTE", b"tRNS", b"pHYs", b"gAMA", b"sRGB", b"tEXt", b"tIME")
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG colour type
_MAX_FILTER: Final = 4  # largest valid filter type of a row
_BLOCK_BYTES: Final = 256  # at most so much is lost before a damaged byte
# Adam7 interlacing: start x, start y, step x and step y of each pass.
_PASSES: Final = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip


def repair_png(content: bytes) -> tuple[bytes, bool]:
    """Return a PNG that decodes without warnings, and whether the original was intact.

    A truncated or damaged PNG keeps the rows that can be decompressed, some of which may be wrong
    after the damage; all other rows are black.

    Args:
        content: content of the PNG file; the caller has checked that its size fits in memory.

    Returns:
        Content of the repaired file, empty if no row can be read; and whether the file was intact.

    Source: W3C, Portable Network Graphics Specification, third edition, 2025.
    """
    header, pixels, others, whole = b"", bytearray(), [], False
    for number, (kind, data, intact) in enumerate(_chunks(content)):
        if number == 0:  # where its size was read and checked
            if kind != b"IHDR" or not intact:
                break
            header = data
        elif kind == b"IDAT":
            pixels += data
            if not intact:
                break
        elif kind in _USED and intact and not _is_damaged_exif(kind, data):
            others.append((kind, data))
        elif kind == b"IEND":
            whole = intact
            break
    stream = bytes(pixels) if whole else _complete(header, bytes(pixels))
    if len(header) != struct.calcsize(">IIBBBBB") or not stream:
        return b"", False
    parts = [(b"IHDR", header), *others, (b"IDAT", stream), (b"IEND", b"")]
    return PNG_MAGIC + b"".join(_chunk(kind, data) for kind, data in parts), whole


def is_plain(content: bytes) -> bool:
    """Return whether a PNG has no other chunks than a decoder is known to take well.

    Of a chunk that is longer than the rest of the file libpng takes memory for its length; unknown
    chunks that call themselves critical have ended the process.
    """
    at, kind = len(PNG_MAGIC), b""
    while at + 8 <= len(content) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind not in (_FIRST if at == len(PNG_MAGIC) else _PLAIN):
            return False
        at += 12 + length
    return at <= len(content)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield the type and data of each chunk, and whether its checksum matches."""
    at = len(PNG_MAGIC)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        data, end = content[at + 8 : at + 8 + length], at + 8 + length
        yield kind, data, content[end : end + 4] == struct.pack(">I", zlib.crc32(kind + data))
        at = end + 4


def _is_damaged_exif(kind: bytes, data: bytes) -> bool:
    """Return whether EXIF data would make libpng complain."""
    return kind == b"eXIf" and not (data.startswith((b"II*\0", b"MM\0*")) and len(data) >= 8)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _complete(header: bytes, pixels: bytes) -> bytes:
    """Return compressed pixels with unreadable rows in black; empty if no row can be read."""
    try:
        rows = _row_bytes(header)
    except (struct.error, KeyError):
        return b""
    size = sum(length * count for length, count in rows)
    unpack, raw = zlib.decompressobj(), bytearray()
    try:
        for at in range(0, len(pixels), _BLOCK_BYTES):
            raw += unpack.decompress(pixels[at : at + _BLOCK_BYTES], size - len(raw) + 1)
            if len(raw) > size:
                break
    except zlib.error:
        pass
    kept = 0
    for length, count in rows:
        filters = np.frombuffer(raw, np.uint8)[kept : kept + length * count : length]
        filters = filters[: (len(raw) - kept) // length]
        damaged = np.flatnonzero(filters > _MAX_FILTER)
        good = int(damaged[0]) if len(damaged) else len(filters)
        kept += length * good
        if good < count:
            break
    return zlib.compress(bytes(raw[:kept]).ljust(size, b"\0"), 1) if kept else b""


def _row_bytes(header: bytes) -> list[tuple[int, int]]:
    """Return the length of rows in bytes, filter byte included, and their number, in file order."""
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    depth = bits * _CHANNELS[colour]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    rows = []
    for left, top, across, down in passes:
        columns = -(-(width - left) // across)
        if columns > 0:
            rows.append((1 + -(-columns * depth // 8), -(-max(height - top, 0) // down)))
    return rows
