"""The boxes of AVIF and HEIC files; the pixels are in test_decode.py."""

from __future__ import annotations

import struct

import pytest

from mien.images.heif import main_image


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + kind + inside


def size(width: int, height: int) -> bytes:
    return box(b"ispe", bytes(4), struct.pack(">II", width, height))


def properties(items: dict[int, list[int]], *known: bytes, version=0, is_long=False) -> bytes:
    """Boxes that give each item the properties of these numbers."""
    kind, item = (">H", 0x8000) if is_long else (">B", 0x80), ">I" if version else ">H"
    lines = [
        struct.pack(item, number)
        + bytes([len(of)])
        + b"".join(struct.pack(kind[0], one | kind[1]) for one in of)
        for number, of in items.items()
    ]
    flags = bytes([version, 0, 0, int(is_long)])
    ipma = box(b"ipma", flags, struct.pack(">I", len(items)), *lines)
    return box(b"iprp", box(b"ipco", *known), ipma)


def file(main: int, iprp: bytes, version: int = 0) -> bytes:
    number = struct.pack(">I" if version else ">H", main)
    pitm = box(b"pitm", bytes([version, 0, 0, 0]), number)
    return box(b"ftyp", b"avif" + bytes(4)) + box(b"meta", bytes(4), pitm, iprp)


TURN, MIRROR = box(b"irot", b"\1"), box(b"imir", b"\0")


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("is_long", [False, True])
def test_the_properties_are_those_of_the_main_image(version, is_long):
    # Item 1 is a thumbnail, or the alpha plane, that is turned another way.
    known = (size(8, 9), size(64, 48), TURN, MIRROR, box(b"irot", b"\3"), box(b"clap", bytes(32)))
    iprp = properties({1: [1, 5], 2: [2, 3, 4, 6]}, *known, version=version, is_long=is_long)
    assert main_image(file(2, iprp, version)) == (64, 48, (8, 4))


def test_the_order_of_the_properties_is_kept():
    known = (size(64, 48), TURN, MIRROR)
    assert main_image(file(1, properties({1: [3, 2, 1]}, *known))).turns == (4, 8)


def test_a_picture_without_properties_is_as_stored():
    assert main_image(file(7, properties({1: [1]}, size(5, 6)))) == (0, 0, ())
    assert main_image(box(b"ftyp", b"avif" + bytes(4))) == (0, 0, ())
    assert main_image(file(1, properties({1: [9, 0]}, size(5, 6)))) == (0, 0, ())


def test_a_file_that_is_cut_off_is_no_endless_loop():
    content = file(1, properties({1: [1, 2, 3]}, size(64, 48), TURN, MIRROR))
    for length in range(len(content)):
        try:
            main_image(content[:length])
        except (struct.error, IndexError):
            continue
    assert main_image(content[:24] + bytes(8) + content[24:]) == (0, 0, ())


def test_boxes_of_64_bits_are_read():
    iprp = properties({1: [1]}, size(64, 48))
    inside = iprp[8:]
    long = struct.pack(">I4sQ", 1, b"iprp", 16 + len(inside)) + inside
    assert main_image(file(1, long)) == (64, 48, ())
