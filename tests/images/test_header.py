"""Sizes from headers; the sizes of photos of every kind are in tests/vision/sources."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.errors import DataError
from mien.images.size import image_size


def encoded(suffix, *options):
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
    return cv2.imencode(suffix, image, options)[1].tobytes()


@pytest.mark.parametrize(
    "content",
    [
        encoded(".png"),
        encoded(".jpg"),
        encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 60),
        encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        encoded(".bmp"),
        encoded(".tiff"),
    ],
    ids=["png", "jpeg", "progressive", "webp", "lossless webp", "bmp", "tiff"],
)
def test_image_size_in_every_format(content):
    assert image_size(content, "it") == (53, 37)


def test_a_photo_with_an_orientation_has_its_upright_size():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    jpeg = encoded(".jpg")
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    assert image_size(jpeg[:2] + segment + jpeg[2:], "it") == (37, 53)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF", b"text"])
def test_no_image_has_no_size(content):
    with pytest.raises(DataError, match="it: "):
        image_size(content, "it")
