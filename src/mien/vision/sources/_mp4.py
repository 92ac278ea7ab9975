"""Read from the header of an MP4 or QuickTime file what OpenCV does not tell."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from mien.vision.sources._display import IDENTITY, Matrix

_FIRST_BOXES: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_MAX_HEADER_BYTES: Final = 1 << 28
_UNIT: Final = 1 << 16  # fixed point


class Mp4(NamedTuple):
    """What the header of a file says.

    Args:
        has_video: whether there is a track of pictures.
        matrix: display matrix of the first such track.
    """

    has_video: bool
    matrix: Matrix = IDENTITY


def read_mp4(path: Path) -> Mp4 | None:
    """Return what a file's header says; None if it is of another format, or damaged.

    Source: ISO/IEC 14496-12, ISO base media file format, 2022, sections 8.2, 8.3.2 and 8.4.3.
    """
    try:
        with path.open("rb") as file:
            if file.read(8)[4:] not in _FIRST_BOXES:
                return None
            file.seek(0)
            for kind, size in _boxes(file, path.stat().st_size):
                if kind == b"moov" and size <= _MAX_HEADER_BYTES:
                    return _movie(file.read(size))
    except (OSError, struct.error):
        pass
    return None


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int]]:
    """Yield the kind and the size of each box, with the file at the beginning of its content."""
    at = 0
    while at + 8 <= end:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            header = 16
        elif size == 0:  # up to the end
            size = end - at
        if size < header:
            return
        yield kind, min(size, end - at) - header
        at += size


def _movie(content: bytes) -> Mp4 | None:
    movie, has_tracks = IDENTITY, False
    for kind, body in _inside(content):
        if kind == b"mvhd":
            movie = _matrix(body, 36)
        elif kind == b"trak":
            has_tracks = True
            parts = dict(_inside(body))
            handler = dict(_inside(parts.get(b"mdia", b""))).get(b"hdlr", b"")
            if handler[8:12] == b"vide" and b"tkhd" in parts:
                return Mp4(True, _product(_matrix(parts[b"tkhd"], 40), movie))
    return Mp4(False) if has_tracks else None  # a compressed header, or a damaged one


def _inside(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the content of each box in another one."""
    file = io.BytesIO(content)
    for kind, size in _boxes(file, len(content)):
        yield kind, file.read(size)


def _matrix(body: bytes, at: int) -> Matrix:
    """Return the matrix at a position of a header of version 0; version 1 has 12 bytes more."""
    at += 12 if body[:1] == b"\1" else 0
    a, b, _, c, d, *_ = struct.unpack_from(">9i", body, at)
    return (a / _UNIT, b / _UNIT, c / _UNIT, d / _UNIT)


def _product(first: Matrix, then: Matrix) -> Matrix:
    (a, b, c, d), (e, f, g, h) = first, then
    return (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)
