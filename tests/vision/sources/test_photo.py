from __future__ import annotations

import io
import struct
import time
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest
from tests.vision.made import (
    SIZE,
    encoded,
    picture,
    write_video,
)

from mien.errors import SourceError
from mien.vision.sources import open_source


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "PNG"), ("P", "GIF"), ("RGBA", "PNG"),
     ("RGBA", "WEBP"), ("RGB", "BMP"), ("RGB", "TIFF")],
)  # fmt: skip
def test_colours_of_every_kind_of_file_become_blue_green_red(mode, kind, tmp_path):
    path = tmp_path / f"colour.{kind.lower()}"
    PIL.Image.new("RGB", SIZE, (200, 100, 50)).convert(mode).save(path)
    (frame,) = open_source(path)
    with PIL.Image.open(path) as opened:
        (from_pil,) = open_source(opened)
    for image in (frame.image, from_pil.image):
        assert image.shape == (48, 64, 3)
        assert image.dtype == np.uint8
        np.testing.assert_allclose(image.mean((0, 1)), (50, 100, 200), atol=4)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bits_become_8(suffix, tmp_path):
    path = tmp_path / f"deep{suffix}"
    path.write_bytes(encoded(np.full((48, 64), 100 * 257, np.uint16), suffix))
    (frame,) = open_source(path)
    (from_pil,) = open_source(PIL.Image.open(path))
    assert frame.image.shape == (48, 64, 3)
    assert abs(int(frame.image[0, 0, 0]) - 100) <= 1
    assert (from_pil.image == 100).all()


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_of_an_animated_image_the_first_picture_is_taken(kind, tmp_path):
    path = tmp_path / f"moving.{kind}"
    first, *rest = [PIL.Image.new("RGB", SIZE, (shade,) * 3) for shade in (40, 120, 200)]
    first.save(path, save_all=True, append_images=rest, duration=100)
    (frame,) = open_source(path)
    assert abs(frame.image.mean() - 40) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_comes_upright_from_file_and_from_pil(orientation, tmp_path):
    path = tmp_path / "turned.png"
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(picture()[..., ::-1]).save(path, exif=exif)
    (frame,) = open_source(path)
    (from_pil,) = open_source(PIL.Image.open(path))
    np.testing.assert_array_equal(from_pil.image, frame.image)
    assert frame.image.shape[:2] == ((64, 48) if orientation > 4 else (48, 64))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("text.jpg", b"I am text", "cannot be decoded"),
        ("zero.jpg", b"", "is empty"),
        ("half.png", encoded(picture(), ".png")[:45], "nothing can be read"),
        ("head.jpg", encoded(picture())[:100], "cannot be decoded"),
        ("half.webp", encoded(picture(), ".webp")[:50], "cannot be decoded"),
        ("noise.png", b"\x89PNG\r\n\x1a\n" + bytes(50), "nothing can be read"),
        ("text.mp4", b"I am text", "cannot be opened as a video"),
        ("zero.mp4", b"", "is empty"),
    ],
)
def test_a_bad_file_is_one_clear_line(name, content, expected, tmp_path, capfd):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=expected) as raised:
        list(open_source(path))
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""  # no library adds its own


@pytest.mark.parametrize("orientation", [0, 6])
def test_what_there_is_of_a_cut_off_jpeg_is_used_and_said(orientation, tmp_path):
    path = tmp_path / "half.jpg"
    exif = PIL.Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    rng = np.random.default_rng(0)
    whole = cv2.resize(rng.integers(0, 255, (8, 8, 3), np.uint8), (200, 200))
    PIL.Image.fromarray(whole).save(path, exif=exif)
    (frame,) = opened = open_source(path)
    assert opened.failures == []
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    (half,) = opened = open_source(path)
    assert "cut off" in str(opened.failures[0])
    upper = (slice(None), slice(110, None)) if orientation else slice(0, 90)
    np.testing.assert_array_equal(half.image[upper], frame.image[upper])


def test_a_preview_without_its_end_is_no_cut_off_photo():
    content = encoded(picture())
    preview = b"Exif\0\0" + content[:-2]
    segment = b"\xff\xe1" + (2 + len(preview)).to_bytes(2, "big") + preview
    (_,) = opened = open_source(content[:2] + segment + content[2:])
    assert opened.failures == []
    whole = b"\xff\xe1" + (2 + len(content)).to_bytes(2, "big") + content
    (_,) = opened = open_source(content[:2] + whole + content[2:-2])
    assert "cut off" in str(opened.failures[0])


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_what_there_is_of_a_damaged_png_is_used_and_said(damage, tmp_path, capfd):
    path = tmp_path / "half.png"
    whole = cv2.resize(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8), (200, 200))
    content = encoded(whole, ".png")
    middle = len(content) // 2
    rest = b"" if damage == "cut off" else bytes(20) + content[middle + 20 :]
    path.write_bytes(content[:middle] + rest)
    (frame,) = opened = open_source(path)
    assert frame.image.shape == whole.shape
    np.testing.assert_array_equal(frame.image[:80], whole[:80])
    assert not frame.image[190:].any()
    (failure,) = opened.failures
    assert str(failure).startswith(f"{path}: a PNG that is damaged or cut off")
    assert capfd.readouterr().err == ""  # libpng says nothing of its own


def bomb(width: int, height: int, exif: bool = False) -> bytes:
    """A small PNG that promises many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    turned = chunk(b"eXIf", b"II*\0" + bytes(20)) if exif else b""
    body = chunk(b"IDAT", zlib.compress(bytes(10_000_000), 9))
    return b"\x89PNG\r\n\x1a\n" + header + turned + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("exif", [False, True])
def test_a_bomb_is_refused_by_its_header(exif, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(20_000, 20_000, exif))
    begun = time.process_time()
    with pytest.raises(SourceError, match=r"400\.0 million pixels.*--max-pixels 400000000"):
        list(open_source(path))
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".gif", ".avif"])
def test_the_limit_can_be_raised(suffix, tmp_path):
    path = tmp_path / f"large{suffix}"
    path.write_bytes(encoded(picture(size=(80, 60)), suffix))
    for source in (path, path.read_bytes()):
        with pytest.raises(SourceError, match="--max-pixels 4800"):
            list(open_source(source, max_pixels=4799))
        (frame,) = open_source(source, max_pixels=4800)
        assert frame.image.shape == (60, 80, 3)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}, {"save_all": True}])
def test_the_limit_knows_every_kind_of_webp(options):
    first, second = (PIL.Image.new("RGB", (80, 60), (shade,) * 3) for shade in (40, 200))
    more = {"append_images": [second]} if "save_all" in options else {}
    content = io.BytesIO()
    first.save(content, "WEBP", **options, **more)
    cut_off = content.getvalue()[:60]  # which cannot be decoded: only the header speaks
    with pytest.raises(SourceError, match="--max-pixels 4800"):
        list(open_source(cut_off, max_pixels=4799))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif"])
def test_the_limit_is_checked_before_decoding(suffix):
    content = encoded(picture(size=(80, 60)), suffix)
    with pytest.raises(SourceError, match="--max-pixels 4800"):
        list(open_source(content[: len(content) - 40], max_pixels=4799))


def big_tiff(order: str, width: int, height: int) -> bytes:
    """A BigTIFF of one gray strip."""
    tags = ((256, 4, width), (257, 16, height), (258, 3, 8), (259, 3, 1), (262, 3, 1),
            (273, 16, 192), (277, 3, 1), (278, 4, height), (279, 16, width * height))  # fmt: skip
    how = {3: "H6x", 4: "I4x", 16: "Q"}
    entries = [
        struct.pack(f"{order}HHQ{how[kind]}", tag, kind, 1, value)[:20] for tag, kind, value in tags
    ]
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HHHQQ", 43, 8, 0, 16, 9)
    return (head + b"".join(entries)).ljust(192, b"\0") + b"\x80" * min(width * height, 10_000)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_limit_knows_tiffs_of_64_bits(order):
    (frame,) = open_source(big_tiff(order, 80, 60))
    assert frame.image.shape == (60, 80, 3)
    with pytest.raises(SourceError, match="--max-pixels 400000000"):
        list(open_source(big_tiff(order, 20_000, 20_000)))
    with pytest.raises(SourceError, match="cannot be decoded"):
        list(open_source(big_tiff(order, 80, 60)[:8] + b"\xff" * 8))


def test_a_kind_whose_size_is_not_known_before_is_refused():
    content = encoded(picture(), ".ppm")
    with pytest.raises(SourceError, match="cannot be decoded as an image, expected PNG"):
        list(open_source(content))


def test_the_limit_holds_for_pil_and_video(tmp_path):
    with pytest.raises(SourceError, match="--max-pixels"):
        list(open_source(PIL.Image.new("RGB", (80, 60)), max_pixels=4799))
    with pytest.raises(SourceError, match="--max-pixels"):
        open_source(write_video(tmp_path / "a.avi", frames=2), max_pixels=64 * 48 - 1)


def test_a_picture_that_pil_cannot_finish_is_said():
    whole = encoded(cv2.resize(picture(), (400, 400)), ".png")
    with pytest.raises(SourceError, match="PIL cannot decode"):
        list(open_source(PIL.Image.open(io.BytesIO(whole[: len(whole) // 2]))))
