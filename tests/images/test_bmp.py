"""BMPs of every header, depth and order of rows, and those whose header is wrong."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from mien.errors import DataError
from mien.images.decode import decode_image
from mien.images.header import header_size
from mien.images.size import image_size

WIDTH, HEIGHT = 13, 7
rng = np.random.default_rng(0)
COLOURS = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)  # blue-green-red
NUMBERS = rng.integers(0, 2, (HEIGHT, WIDTH)).astype(np.uint8)
PALETTE = rng.integers(0, 256, (256, 3), np.uint8)


def padded(row: bytes) -> bytes:
    return row + bytes(-len(row) % 4)


def rows(bits: int) -> list[bytes]:
    """The rows from top to bottom."""
    if bits == 24:
        return [padded(row.tobytes()) for row in COLOURS]
    if bits == 32:
        alpha = np.full((WIDTH, 1), 9, np.uint8)
        return [np.concatenate([row, alpha], 1).tobytes() for row in COLOURS]
    if bits == 16:
        blue, green, red = (COLOURS[..., channel].astype("<u2") >> 3 for channel in range(3))
        return [padded(row.tobytes()) for row in (red << 10 | green << 5 | blue).astype("<u2")]
    if bits == 8:
        return [padded(row.tobytes()) for row in NUMBERS]
    if bits == 4:
        even = np.pad(NUMBERS, ((0, 0), (0, 1)))
        return [padded(row.tobytes()) for row in even[:, ::2] << 4 | even[:, 1::2]]
    return [padded(np.packbits(row).tobytes()) for row in NUMBERS]


def bmp(header_bytes: int, bits: int, *, height: int = HEIGHT, **other) -> bytes:
    data = b"".join(rows(bits) if height < 0 else rows(bits)[::-1])
    data = other.get("data", data)
    compression = other.get("compression", 0)
    colours = PALETTE[: 1 << bits] if bits <= 8 else []
    if header_bytes == 12:
        head = struct.pack("<IHHHH", 12, WIDTH, height, 1, bits)
        palette = b"".join(colour.tobytes() for colour in colours)
    else:
        head = struct.pack("<IiiHHI", header_bytes, WIDTH, height, 1, bits, compression)
        head = (head + struct.pack("<I", len(data))).ljust(header_bytes, b"\0")
        if header_bytes >= 108:
            masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
            head = head[:40] + masks + head[52:]
        palette = b"".join(colour.tobytes() + b"\0" for colour in colours)
    masks = other.get("masks", b"")
    start = other.get("start", 14 + len(head) + len(masks) + len(palette))
    size = start + len(data)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, start) + head + masks + palette + data


def expected(bits: int) -> np.ndarray:
    if bits <= 8:
        return PALETTE[NUMBERS]
    return COLOURS >> 3 << 3 if bits == 16 else COLOURS


@pytest.mark.parametrize(
    ("header_bytes", "bits"),
    [(size, bits) for size in (12, 40, 52, 56, 64, 108, 124) for bits in (1, 4, 8, 16, 24, 32)
     if (size, bits) != (12, 16)],
)  # fmt: skip
def test_headers_and_depths(header_bytes, bits):
    content = bmp(header_bytes, bits)
    np.testing.assert_array_equal(decode_image(content, "it"), expected(bits))
    assert image_size(content, "it") == (WIDTH, HEIGHT)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_rows_from_the_top(bits):
    content = bmp(40, bits, height=-HEIGHT)
    np.testing.assert_array_equal(decode_image(content, "it"), expected(bits))
    assert image_size(content, "it") == (WIDTH, HEIGHT)


@pytest.mark.parametrize(("bits", "compression", "shift"), [(8, 1, 0), (4, 2, 4)])
def test_run_lengths(bits, compression, shift):
    runs = (b"".join(bytes([1, number << shift]) for number in row) for row in NUMBERS[::-1])
    data = b"\0\0".join(runs) + b"\0\1"
    content = bmp(40, bits, compression=compression, data=data)
    np.testing.assert_array_equal(decode_image(content, "it"), expected(bits))


def test_masks_of_565():
    blue, green, red = (COLOURS[..., channel].astype(int) for channel in range(3))
    levels = (red >> 3 << 11 | green >> 2 << 5 | blue >> 3).astype("<u2")
    data = b"".join(padded(row.tobytes()) for row in levels[::-1])
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    image = decode_image(bmp(40, 16, compression=3, masks=masks, data=data), "it")
    np.testing.assert_array_equal(image >> 3, COLOURS >> 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bmp(40, 32, compression=3, masks=struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)),
         "a BMP of unusual colour masks"),
        (bmp(40, 24, start=0), "a BMP whose header is damaged"),
        (bmp(40, 24, compression=4), "a BMP that holds a JPEG"),
        (bmp(40, 24, compression=5), "a BMP that holds a PNG"),
        (bmp(40, 24)[:20], "a BMP that is cut off in its header"),
        (bmp(40, 24)[:200], "a BMP that cannot be decoded as an image"),
        (bmp(40, 24, data=b""), r"a BMP that is cut off: its header promises 334 bytes.*has 54"),
        (bmp(12, 16), "a BMP that cannot be decoded as an image"),
        (bmp(40, 24)[:28] + b"\7\0" + bmp(40, 24)[30:], "a BMP of 7 bits in a pixel"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(content, reason):
    with pytest.raises(DataError, match=f"it: {reason}") as raised:
        decode_image(content, "it")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [(0, 7, "width of 0"), (13, 0, "height of 0"), (-13, 7, "width of -13"),
     (2**31 - 1, 2**31 - 1, "cut off"), (2**31 - 1, -(2**31), "cut off"), (100_000, 9, "cut off")],
)  # fmt: skip
def test_sizes_that_no_image_has_are_named(width, height, reason):
    content = bmp(40, 24)
    content = content[:18] + struct.pack("<ii", width, height) + content[26:]
    with pytest.raises(DataError, match=f"it: a BMP .*{reason}"):
        decode_image(content, "it")


def test_the_short_header_has_short_sizes():
    assert header_size(bmp(12, 24)) == (WIDTH, HEIGHT)
