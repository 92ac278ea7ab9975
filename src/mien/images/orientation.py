"""Turn images upright by the orientation that EXIF data states."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from mien.types import Image

UPRIGHT: Final = 1  # EXIF orientation of an image that is upright as stored
ORIENTATION_TAG: Final = 0x0112

_SHORT: Final = 3  # TIFF type of 16 bits
_EXIF_PREFIX: Final = b"Exif\0\0"


def turn_upright(image: Image, orientation: int) -> Image:
    """Return an image turned and mirrored by an EXIF orientation; other values leave it as it is.

    Args:
        image: pixels as they are stored.
        orientation: EXIF orientation, from 1 to 8.

    Shape: (height, width, ...) -> the same, or (width, height, ...) for orientations 5 to 8.
    """
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def exif_orientation(exif: bytes) -> int:
    """Return the orientation in EXIF data; 1, upright, if it has none or cannot be parsed.

    Args:
        exif: EXIF data, with or without the prefix ``Exif``.

    Source: CIPA DC-008, Exchangeable image file format for digital still cameras, 2023.
    """
    tiff = exif.removeprefix(_EXIF_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == ORIENTATION_TAG and kind == _SHORT:
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:  # cut off
        pass
    return UPRIGHT


def webp_orientation(content: bytes) -> int:
    """Return the orientation in the EXIF data of a WebP file; 1, upright, if it has none.

    Source: RFC 9649, WebP Image Format, 2024.
    """
    at = 12
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, at)
        if kind == b"EXIF":
            return exif_orientation(content[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return UPRIGHT
