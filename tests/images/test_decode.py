from __future__ import annotations

import struct
import threading
import zlib

import cv2
import numpy as np
import pytest

from mien.errors import DataError
from mien.images.decode import decode_image, quiet_opencv, read_image


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


def log_level() -> int:
    return cv2.utils.logging.getLogLevel()


def test_opencv_prints_nothing_and_its_log_level_is_put_back(capfd):
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_WARNING)
    try:
        with pytest.raises(DataError):
            decode_image(b"II*\0\x08\0\0\0" + b"\xff" * 60, "damaged.tif")
        assert log_level() == cv2.utils.logging.LOG_LEVEL_WARNING
        assert capfd.readouterr().err == ""
    finally:
        cv2.utils.logging.setLogLevel(before)


def test_opencv_stays_quiet_until_the_last_thread_is_out():
    before = log_level()
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with quiet_opencv:
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=stay)
    with quiet_opencv:
        other.start()
        assert inside.wait(10)
    assert log_level() == cv2.utils.logging.LOG_LEVEL_SILENT
    leave.set()
    other.join()
    assert log_level() == before
