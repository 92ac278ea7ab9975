"""The size and the orientation of the main image in an AVIF or a HEIC file.

Source: ISO/IEC 23008-12, Image File Format, 2022; ISO/IEC 14496-12, ISO base media file format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_FULL_BOX: Final = 4  # bytes of version and flags
# EXIF orientations of a counterclockwise rotation by 0 to 3 quarters (irot), and of mirroring
# top to bottom or left to right (imir).
_OF_ROTATION: Final = (1, 8, 3, 6)
_OF_MIRROR: Final = (4, 2)


class MainImage(NamedTuple):
    """The main image of a file.

    Args:
        width: pixels in a row as stored, before it is turned; 0 if unknown.
        height: number of rows as stored; 0 if unknown.
        turns: EXIF orientations, to be applied one after another.
    """

    width: int
    height: int
    turns: tuple[int, ...]


def main_image(content: bytes) -> MainImage:
    """Return the size and the orientation of a file's main image.

    Properties other than the size, the rotation and the mirroring are ignored: a crop (``clap``)
    too, as by the decoders. Of a damaged file the size is zero and there are no turns: the decoder
    reports what is wrong.
    """
    try:
        return _main_image(content)
    except (struct.error, IndexError):
        return MainImage(0, 0, ())


def _main_image(content: bytes) -> MainImage:
    meta = _find(content, (0, len(content)), b"meta")
    if meta is None:
        return MainImage(0, 0, ())
    inside = (meta[0] + _FULL_BOX, meta[1])
    properties = _properties(content, inside)
    width = height = 0
    turns = []
    for kind, at in properties:
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", content, at + _FULL_BOX)
        elif kind == b"irot":
            turns.append(_OF_ROTATION[content[at] & 3])
        elif kind == b"imir":
            turns.append(_OF_MIRROR[content[at] & 1])
    return MainImage(width, height, tuple(turns))


def _properties(content: bytes, meta: tuple[int, int]) -> list[tuple[bytes, int]]:
    """Return the type and the offset of each property of the main image, in their order."""
    pitm, iprp = _find(content, meta, b"pitm"), _find(content, meta, b"iprp")
    if pitm is None or iprp is None:
        return []
    item_format = ">H" if content[pitm[0]] == 0 else ">I"
    (main,) = struct.unpack_from(item_format, content, pitm[0] + _FULL_BOX)
    ipco = _find(content, iprp, b"ipco")
    known = [] if ipco is None else [(kind, at) for kind, at, _ in _boxes(content, *ipco)]
    return [
        known[number - 1]
        for kind, at, _ in _boxes(content, *iprp)
        if kind == b"ipma"
        for number in _associations(content, at, main)
        if 0 < number <= len(known)
    ]


def _associations(content: bytes, at: int, wanted: int) -> Iterator[int]:
    """Yield the number, from 1, of each property of an item in an ``ipma`` box."""
    version, is_long = content[at], content[at + 3] & 1
    item, number = ">I" if version else ">H", ">H" if is_long else ">B"
    mask = 0x7FFF if is_long else 0x7F  # the highest bit says that the property is essential
    (count,) = struct.unpack_from(">I", content, at + _FULL_BOX)
    at += _FULL_BOX + 4
    for _ in range(count):
        (identity,) = struct.unpack_from(item, content, at)
        at += struct.calcsize(item)
        properties = content[at]
        at += 1
        for _ in range(properties):
            if identity == wanted:
                yield struct.unpack_from(number, content, at)[0] & mask
            at += struct.calcsize(number)


def _find(content: bytes, inside: tuple[int, int], wanted: bytes) -> tuple[int, int] | None:
    """Return the start and the end of the content of the first box of a type."""
    return next((where for kind, *where in _boxes(content, *inside) if kind == wanted), None)  # type: ignore[return-value]


def _boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each box, and the start and the end of its content."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        head = 8
        if size == 1:  # a size of 64 bits follows
            (size,) = struct.unpack_from(">Q", content, start + 8)
            head = 16
        elif size == 0:
            size = end - start
        if size < head:
            return
        yield kind, start + head, min(start + size, end)
        start += size
