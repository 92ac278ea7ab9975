"""Read the tags of TIFF files, which tell what OpenCV would get wrong without a word.

Source: Adobe, TIFF Revision 6.0, 1992; AWare Systems, The BigTIFF File Format, 2008.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

TIFF_MAGIC: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT = 256, 257

_SUBFILE, _BITS, _EXTRA, _DNG_VERSION = 254, 258, 338, 50706
_REDUCED: Final = 1  # bit of _SUBFILE: a smaller version of another picture
_UNASSOCIATED, _ASSOCIATED = 2, 1  # values of _EXTRA: colours not multiplied by alpha, or so
_MAX_PAGES: Final = 1000
_MAX_TAGS: Final = 4096  # in one directory; cameras write up to 200


class Tag(NamedTuple):
    """The first value of a tag, and the offset of that value in the file."""

    value: int
    at: int


class _Format(NamedTuple):
    order: str
    is_big: bool


def tags(content: bytes, page: int = 0) -> dict[int, Tag]:
    """Return the tags of one picture in a TIFF or a BigTIFF (offsets of 64 bits).

    Args:
        content: content of the file.
        page: number of the picture, from 0.

    Raises:
        struct.error: if the file is truncated.
        OverflowError: if the file is damaged.
        IndexError: if it has no such picture.
    """
    kind = _format(content)
    at = _first(content, kind)
    for _ in range(page):
        _, at = _directory(content, at, kind)
    if at == 0:
        raise IndexError(page)
    return _directory(content, at, kind)[0]


def count_pages(content: bytes) -> int:
    """Return the number of pictures in a TIFF, without smaller versions of others."""
    kind = _format(content)
    seen: set[int] = set()
    pages = 0
    try:
        at = _first(content, kind)
        while at and at not in seen and len(seen) < _MAX_PAGES:
            seen.add(at)
            found, at = _directory(content, at, kind)
            pages += not _is_reduced(found)
    except (struct.error, OverflowError):  # the decoder reports what is wrong
        pass
    return pages


def problem(content: bytes) -> str:
    """Return why a TIFF would not be decoded rightly; an empty string if it would."""
    try:
        found = tags(content)
    except (struct.error, OverflowError, IndexError):
        return ""  # damaged: the decoder reports it
    if _DNG_VERSION in found:
        return "a camera RAW file (DNG)"
    if _is_reduced(found):
        return "a TIFF that begins with a preview, as camera RAW files do"
    bits = found.get(_BITS, Tag(1, 0)).value
    if bits > 16:
        return f"a TIFF of {bits} bits in a channel instead of 8 or 16"
    return ""


def with_plain_colours(content: bytes) -> bytes:
    """Return a TIFF whose colours are decoded as stored, instead of multiplied by alpha."""
    try:
        extra = tags(content).get(_EXTRA)
    except (struct.error, OverflowError, IndexError):
        return content
    if extra is None or extra.value != _UNASSOCIATED:
        return content
    order = "<" if content.startswith(b"I") else ">"
    value = struct.pack(f"{order}H", _ASSOCIATED)
    return content[: extra.at] + value + content[extra.at + 2 :]


def _format(content: bytes) -> _Format:
    return _Format("<" if content.startswith(b"I") else ">", b"+" in content[2:4])


def _first(content: bytes, kind: _Format) -> int:
    """Return the offset of the first directory."""
    how, at = ("Q", 8) if kind.is_big else ("I", 4)
    return int(struct.unpack_from(kind.order + how, content, at)[0])


def _directory(content: bytes, at: int, kind: _Format) -> tuple[dict[int, Tag], int]:
    """Return the tags of a directory, and the offset of the next one; 0 if it is the last."""
    offset, count, head, size = ("Q", "Q", 8, 20) if kind.is_big else ("I", "H", 2, 12)
    value_at = size - struct.calcsize("=" + offset)
    (entries,) = struct.unpack_from(kind.order + count, content, at)
    if entries > _MAX_TAGS:
        raise OverflowError(entries)
    found = {}
    for entry in range(at + head, at + head + size * entries, size):
        tag, form = struct.unpack_from(f"{kind.order}HH", content, entry)
        (values,) = struct.unpack_from(kind.order + offset, content, entry + 4)
        where, how = entry + value_at, {1: "B", 3: "H", 4: "I"}.get(form, offset)
        if form == 3 and values * 2 > size - value_at:  # several values lie elsewhere
            (where,) = struct.unpack_from(kind.order + offset, content, where)
        (value,) = struct.unpack_from(kind.order + how, content, where)
        found[tag] = Tag(value, where)
    end = at + head + size * entries
    following = content[end : end + struct.calcsize("=" + offset)]
    is_whole = len(following) == struct.calcsize("=" + offset)
    after = struct.unpack(kind.order + offset, following)[0] if is_whole else 0
    return found, after


def _is_reduced(found: dict[int, Tag]) -> bool:
    return bool(found.get(_SUBFILE, Tag(0, 0)).value & _REDUCED)
