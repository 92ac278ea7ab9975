from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest
from tests.vision.made import encoded

from mien.images.repair import PNG_MAGIC, repair_png

WHOLE = cv2.resize(np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8), (101, 67))


def decoded(content: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def saved(mode: str) -> bytes:
    content = io.BytesIO()
    PIL.Image.fromarray(WHOLE).convert(mode).save(content, "PNG")
    return content.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_whole_png_keeps_its_pixels(mode):
    content = saved(mode)
    mended, whole = repair_png(content)
    assert whole
    np.testing.assert_array_equal(decoded(mended), decoded(content))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_of_a_cut_off_png_the_rows_before_the_cut_are_kept(mode):
    content = saved(mode)
    mended, whole = repair_png(content[: len(content) * 3 // 4])
    assert not whole
    right = (decoded(mended) == decoded(content)).all((1, 2))
    assert right.argmin() > len(WHOLE) // 3


def test_of_an_interlaced_png_the_first_passes_are_kept():
    # Gray, 8 bits, 16 by 8 pixels: the seven passes have 1, 1, 1, 2, 2, 4 and 4 rows.
    header = struct.pack(">IIBBBBB", 16, 8, 8, 0, 0, 0, 1)
    lengths = [2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16]
    raw = b"".join(b"\0" + bytes([200] * length) for length in lengths)
    start = PNG_MAGIC + chunk(b"IHDR", header)
    complete = start + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    assert (decoded(complete) == 200).all()
    packed = zlib.compressobj(0)
    stored = packed.compress(raw) + packed.flush()
    mended, whole = repair_png(start + chunk(b"IDAT", stored)[:-20])
    assert not whole
    assert (decoded(mended)[::2] == 200).all()  # the last pass has every second row


def test_garbage_that_unpacks_is_not_taken_for_rows():
    header = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    rows = b"\0\x64\x64\x64\x64" * 2 + b"\x63\x64\x64\x64\x64" * 2  # no filter has number 99
    content = PNG_MAGIC + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
    mended, whole = repair_png(content)
    assert not whole
    assert decoded(mended)[:, 0, 0].tolist() == [100, 100, 0, 0]


def test_what_would_make_libpng_complain_is_left_out(capfd):
    content = encoded(WHOLE, ".png")
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(b"nonsense"))
    damaged_note = chunk(b"tEXt", b"Comment")[:-4] + b"oops"
    mended, whole = repair_png(content[:33] + profile + damaged_note + content[33:])
    assert whole
    np.testing.assert_array_equal(decoded(mended), WHOLE)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "content",
    [
        PNG_MAGIC,
        PNG_MAGIC + bytes(50),
        encoded(WHOLE, ".png")[:45],
        PNG_MAGIC + chunk(b"IHDR", b"short") + chunk(b"IDAT", zlib.compress(b"x")),
        PNG_MAGIC + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 9, 0, 0, 0)) + bytes(9),
        PNG_MAGIC + chunk(b"IHDR", b"short") + chunk(b"IDAT", b"x") + chunk(b"IEND", b""),
    ],
)
def test_where_no_row_can_be_read_there_is_nothing(content):
    assert repair_png(content) == (b"", False)
