from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from mien.errors import DataError
from mien.images.crop import to_crop
from mien.images.decode import decode_image, read_image


def test_gray_is_what_equal_channels_say():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    gray = to_crop(np.repeat(np.stack([levels] * 3, axis=2), 3, axis=0).repeat(3, axis=1))
    np.testing.assert_array_equal(gray, levels.repeat(3, axis=0).repeat(3, axis=1))


def test_exif_orientation_is_applied():
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, :30] = 255
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    # an APP1 segment with the one tag 0x0112, orientation, as 6: turn clockwise
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06" + b"\x00" * 6
    exif = b"Exif\x00\x00" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    upright = decode_image(turned, "turned.jpg")
    assert upright.shape == (60, 40, 3)
    assert upright[:25].mean() > 250
    assert upright[35:].mean() < 5


def test_the_smallest_webp_is_read():
    """An all-black face in lossless WebP has 30 bytes, fewer than OpenCV takes."""
    webp = bytes.fromhex("5249464616000000574542505650384c090000002f2fc00b008888fe0700")
    assert len(webp) == 30
    black = decode_image(webp, "black.webp")
    assert black.shape == (48, 48, 3)
    assert not black.any()


def test_a_header_that_promises_too_much_is_refused():
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    png += struct.pack(">I", zlib.crc32(chunk))
    with pytest.raises(DataError, match="cannot be decoded"):
        decode_image(png, "bomb.png")


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_image(tmp_path)
