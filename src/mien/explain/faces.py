"""The faces to explain: the largest ones of some photos, as they are read."""

from __future__ import annotations

from dataclasses import dataclass

from mien.errors import SourceError
from mien.types import Image
from mien.vision.reader import Reader
from mien.vision.reading import Reading
from mien.vision.sources.open import Source


@dataclass(frozen=True, eq=False)
class ReadFace:
    """A face, and what was read in it.

    Args:
        crop: what was read. Shape: uint8 (48, 48).
        reading: where it was and what was read.
    """

    crop: Image
    reading: Reading


@dataclass(frozen=True)
class ReadFaces:
    """What `read_faces` found.

    Args:
        faces: the largest ones, in the order of their photos.
        found: how many there were.
        photos: how many photos could be read.
    """

    faces: tuple[ReadFace, ...]
    found: int
    photos: int


def read_faces(reader: Reader, source: Source, *, most: int) -> ReadFaces:
    """Read the faces of photos and keep the largest.

    Args:
        reader: finds and reads them.
        source: of photos; what could not be read is in its ``failures`` then.
        most: how many to keep.

    Raises:
        SourceError: if it is a video, a camera or a stream, or a single photo cannot be read.
    """
    if source.kind != "photos":
        what = "video" if source.kind == "video" else "a camera or a stream"
        raise SourceError(
            f"{source.name or 'the sources'}: {what}, but only photos are explained; save the "
            "faces by mien predict --save-crops FOLDER, then explain FOLDER with --crops"
        )
    kept: list[tuple[int, ReadFace]] = []
    found = photos = 0
    for frame, readings in reader.stream(source):
        photos += 1
        for reading in readings:
            kept.append((found, ReadFace(reader.crop(frame.image, reading), reading)))
            found += 1
        kept = sorted(kept, key=lambda item: -_area(item[1].reading))[:most]
    in_order = sorted(kept, key=lambda item: item[0])
    return ReadFaces(tuple(face for _, face in in_order), found, photos)


def _area(reading: Reading) -> int:
    left, top, right, bottom = reading.box
    return (right - left) * (bottom - top)
