"""Mutated images: decoded, or refused with one line, with memory and time in bounds."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from tests.fuzz.harness import fuzz, memory_folder

_PIXELS = 1_000_000
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def images_decode(data: bytes) -> None:
    """Read an image as data sets do: its size, its pixels, its crop."""
    from mien.errors import MienError
    from mien.images.crop import to_crop
    from mien.images.decode import decode_image
    from mien.images.size import image_size

    os.environ["MIEN_MAX_PIXELS"] = str(_PIXELS)
    image = decode_image(data, "photo")
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[0] * image.shape[1] <= _PIXELS
    to_crop(image)
    try:
        width, height = image_size(data, "photo")
    except MienError:
        return
    assert width > 0
    assert height > 0


def images_photo(data: bytes) -> None:
    """Read a photo as a Reader does: damaged ones as far as they go."""
    from mien.vision.sources import open_source

    for frame in open_source(data, max_pixels=_PIXELS):
        assert frame.image.shape[0] * frame.image.shape[1] <= _PIXELS


def images_png(data: bytes) -> None:
    """Read a PNG whose checksums are right, whatever its chunks hold."""
    fixed, at = bytearray(_PNG_MAGIC), len(_PNG_MAGIC)
    while at + 8 <= len(data):
        length = min(struct.unpack_from(">I", data, at)[0], len(data) - at - 8)
        body = data[at + 4 : at + 8 + length]
        fixed += struct.pack(">I", length) + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    images_decode(bytes(fixed))
    images_photo(bytes(fixed))


def images_file(data: bytes) -> None:
    """Read a file of any name: an image, an animation, or something else."""
    from mien.vision.sources import open_source

    path = memory_folder() / "file.gif"
    path.write_bytes(data)
    for number, frame in enumerate(open_source(path, animated=True, max_pixels=_PIXELS)):
        assert frame.image.shape[0] * frame.image.shape[1] <= _PIXELS
        if number == 5:
            break


def seeds() -> list[bytes]:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    kinds = (".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm")
    made = [cv2.imencode(kind, image)[1].tobytes() for kind in kinds]
    made.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes())
    for kind, options in (
        ("GIF", {}),
        ("AVIF", {}),
        ("JPEG2000", {}),
        ("PNG", {"exif": b"MM\0*\0\0\0\x08\0\0"}),
    ):
        content = io.BytesIO()
        PIL.Image.fromarray(image).save(content, kind, **options)
        made.append(content.getvalue())
    return made


def animations() -> list[bytes]:
    frames = [PIL.Image.new("RGB", (8, 6), (shade, 0, 9)) for shade in (10, 90, 200)]
    made = []
    for kind in ("GIF", "PNG", "WEBP"):
        content = io.BytesIO()
        frames[0].save(content, kind, save_all=True, append_images=frames[1:], duration=40)
        made.append(content.getvalue())
    return made


WORDS = [b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"iCCP",
         b"Exif\0\0", b"\xff\xc0", b"\xff\xd9", b"\xff\x4f\xff\x51", b"VP8L", b"VP8X", b"ANMF",
         b"ispe", b"irot", b"ftypavif", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"]  # fmt: skip
CASES = [
    (images_decode, seeds),
    (images_photo, seeds),
    (images_png, lambda: [one for one in (*seeds(), *animations()) if one.startswith(_PNG_MAGIC)]),
    (images_file, lambda: animations() + seeds()),
]
BOUNDS = {"max_mb": 128, "max_s": 2.0, "words": WORDS}


@pytest.mark.parametrize(("target", "made"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_images(target, made, tmp_path: Path) -> None:
    fuzz(target, made(), tmp_path, seconds=2, **BOUNDS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("target", "made"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_many_images(target, made, tmp_path: Path) -> None:
    fuzz(target, made(), tmp_path, seconds=0, runs=100_000, **BOUNDS)
