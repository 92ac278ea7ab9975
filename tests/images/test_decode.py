from __future__ import annotations

import io
import os
import struct
import sys
import threading
import zlib

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import PIL.TiffImagePlugin
import pytest
from tests.memory import at_most, needs_linux

from mien.errors import DataError
from mien.images.decode import decode_image, quiet_opencv, read_image, set_log_level
from mien.images.header import header_size
from mien.images.orientation import turn_upright
from mien.images.size import image_size


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
    with pytest.raises(DataError, match=r"bomb.png: 100,000x100,000 pixels, more than the limit"):
        decode_image(png, "bomb.png")


def test_the_limit_of_pixels_is_said_and_raised_by_one_variable(monkeypatch, tmp_path):
    content = cv2.imencode(".png", np.zeros((30, 50, 3), np.uint8))[1].tobytes()
    path = tmp_path / "a.png"
    path.write_bytes(content)
    monkeypatch.setenv("MIEN_MAX_PIXELS", "1499")
    with pytest.raises(DataError, match=r"50x30 pixels, more than .* 1,499;.*MIEN_MAX_PIXELS=1500"):
        read_image(path)
    monkeypatch.setenv("MIEN_MAX_PIXELS", "1500")
    assert read_image(path).shape == (30, 50, 3)
    with path.open("ab") as handle:  # a file that no image of so many pixels needs
        handle.truncate(8 * 1500 + (1 << 20) + 1)
    with pytest.raises(
        DataError, match=r"a.png: a file of 1 MB, too large for 1,500 pixels; raise"
    ):
        read_image(path)


def with_length(png, kind, length):
    """A PNG of which one chunk promises a length."""
    at = png.index(kind) - 4
    return png[:at] + struct.pack(">I", length) + png[at + 4 :]


@needs_linux
@pytest.mark.parametrize("kind", [b"IDAT", b"IEND"])
def test_a_png_whose_chunk_promises_more_than_the_file_has_costs_no_memory(kind):
    png = cv2.imencode(".png", np.zeros((30, 50, 3), np.uint8))[1].tobytes()
    content = with_length(png, kind, 0x7FFF_FFF0)
    with at_most(100), pytest.raises(DataError, match="a PNG that cannot be decoded"):
        decode_image(content, "a.png")


def test_a_jpeg_without_a_height_is_refused():
    jpeg = bytearray(cv2.imencode(".jpg", np.zeros((30, 50, 3), np.uint8))[1].tobytes())
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 2] = b"\0\0"
    with pytest.raises(DataError, match="a JPEG that cannot be decoded"):
        decode_image(bytes(jpeg), "a.jpg")


def test_a_pipe_is_no_image(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match="not a file"):
        read_image(tmp_path / "a.png")


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_image(tmp_path)


def test_opencv_prints_nothing_and_its_log_level_is_put_back(capfd):
    warning = 3
    before = set_log_level(warning)
    try:
        with pytest.raises(DataError):
            decode_image(b"II*\0\x08\0\0\0" + b"\xff" * 60, "damaged.tif")
        assert set_log_level(warning) == warning
        assert capfd.readouterr().err == ""
    finally:
        set_log_level(before)


def log_level() -> int:
    level = set_log_level(0)
    set_log_level(level)
    return level


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
    assert log_level() == 0  # silent
    leave.set()
    other.join()
    assert log_level() == before


def upright() -> np.ndarray:
    """A picture in red-green-blue whose quarters differ."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[:16, :32], image[:16, 32:], image[16:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return image


def with_orientation(kind: str, orientation: int, **options) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    PIL.Image.fromarray(upright()).save(content, kind, exif=exif, **options)
    return content.getvalue()


KINDS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_upright_as_pil_turns_it(kind, orientation):
    content = with_orientation(kind, orientation, **KINDS[kind])
    turned = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(content)))
    expected = np.asarray(turned.convert("RGB"))[..., ::-1]
    image = decode_image(content, "it")
    assert image.shape == expected.shape
    assert abs(image.astype(int) - expected).max() < 8
    assert image_size(content, "it") == (image.shape[1], image.shape[0])


@pytest.mark.parametrize("quarters", range(4))
def test_an_avif_is_turned_counterclockwise_by_irot(quarters):
    content = bytearray(with_orientation("AVIF", 6, **KINDS["AVIF"]))
    at = content.index(b"irot")
    content[at + 4] = quarters
    image = decode_image(bytes(content), "it")
    expected = np.rot90(upright()[..., ::-1], quarters)
    assert image.shape == expected.shape
    assert abs(image.astype(int) - expected).max() < 8


@pytest.mark.parametrize(("axis", "along"), [(0, 0), (1, 1)])
def test_an_avif_is_mirrored_by_imir(axis, along):
    content = bytearray(with_orientation("AVIF", 2, **KINDS["AVIF"]))
    content[content.index(b"imir") + 4] = axis
    image = decode_image(bytes(content), "it")
    assert abs(image.astype(int) - np.flip(upright()[..., ::-1], along)).max() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_is_turned_once(orientation):
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    pillow_heif.from_pillow(PIL.Image.fromarray(upright())).save(
        content, format="HEIF", quality=100, chroma=444, exif=exif.tobytes()
    )
    image = decode_image(content.getvalue(), "it")
    expected = turn_upright(upright()[..., ::-1], orientation)
    assert image.shape == expected.shape
    assert abs(image.astype(int) - expected).max() < 24
    assert image_size(content.getvalue(), "it") == (image.shape[1], image.shape[0])
    assert min(header_size(content.getvalue())) >= 32  # before its crop


def test_a_heic_needs_pillow_heif(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(DataError, match=r"a\.heic: a HEIC.*pip install 'mien\[heic\]'"):
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "a.heic")


def test_a_damaged_heic_is_one_line():
    pytest.importorskip("pillow_heif")
    with pytest.raises(DataError, match=r"a\.heic: a HEIC that cannot be decoded"):
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "a.heic")


@pytest.mark.parametrize("kind", ["GIF", "AVIF"])
def test_what_opencv_cannot_decode_pil_does(kind, monkeypatch):
    content = io.BytesIO()
    PIL.Image.fromarray(upright()).save(content, kind, **KINDS.get(kind, {}))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    image = decode_image(content.getvalue(), "it")
    assert abs(image.astype(int) - upright()[..., ::-1]).max() < 40
    monkeypatch.setattr(cv2, "haveImageWriter", lambda _: False)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(DataError, match=r"it: an? (GIF|AVIF), which .* update OpenCV to 4\.12"):
        decode_image(content.getvalue(), "it")


@pytest.mark.parametrize(
    "exif",
    [b"junk" * 8, b"", b"MM\0*\0\0\0\x08", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff\x01",
     b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x09\0\0\0\0\0\0"],
    ids=["junk", "empty", "cut off", "far away", "long", "orientation 9"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_data_that_cannot_be_parsed_leaves_a_picture_as_stored(kind, exif):
    content = io.BytesIO()
    PIL.Image.fromarray(upright()).save(content, kind, exif=b"Exif\0\0" + exif)
    assert decode_image(content.getvalue(), "it").shape == (32, 64, 3)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("I;16", "PNG"),
     ("1", "TIFF"), ("L", "TIFF"), ("LA", "TIFF"), ("P", "TIFF"), ("RGBA", "TIFF"),
     ("I;16", "TIFF"), ("I;16B", "TIFF"), ("CMYK", "TIFF"), ("YCbCr", "TIFF"), ("RGBA", "WEBP"),
     ("RGBA", "AVIF"), ("CMYK", "JPEG"), ("L", "JPEG2000"), ("RGBA", "JPEG2000"), ("1", "PPM"),
     ("L", "PPM"), ("RGB", "PPM"), ("1", "BMP"), ("P", "BMP"), ("RGBA", "BMP")],
)  # fmt: skip
def test_the_colours_of_every_kind_are_those_of_pil_and_alpha_is_dropped(mode, kind):
    stored = PIL.Image.fromarray(upright())
    levels = np.asarray(stored.convert("L"))
    if mode.startswith("I"):
        stored = PIL.Image.fromarray(
            (levels.astype(np.uint16) * 257).astype(f"{'>' if mode[-1] == 'B' else '<'}u2")
        )
    else:
        stored = stored.convert(mode)
    if mode in ("LA", "RGBA"):
        stored.putalpha(PIL.Image.fromarray(np.full((32, 64), 128, np.uint8)))
    content = io.BytesIO()
    options = {"quality": 100} if kind in ("JPEG", "AVIF") else {}
    options |= {"subsampling": "4:4:4"} if kind == "AVIF" else {}
    options |= {"lossless": True} if kind == "WEBP" else {}
    stored.save(content, kind, **options)
    if mode.startswith("I"):
        expected = np.repeat(levels[..., None], 3, 2)
    else:
        as_rgb = stored.convert("RGBA") if "A" in mode else stored.convert("RGB")
        expected = np.asarray(as_rgb)[..., 2::-1]
    image = decode_image(content.getvalue(), "it")
    assert image.shape == expected.shape
    assert abs(image.astype(int) - expected).max() < 8
    assert image_size(content.getvalue(), "it") == (64, 32)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_a_tiff_of_32_bits_is_named(dtype):
    content = io.BytesIO()
    PIL.Image.fromarray(np.ones((5, 7), dtype)).save(content, "TIFF")
    with pytest.raises(DataError, match="it: a TIFF of 32 bits in a channel"):
        decode_image(content.getvalue(), "it")


@pytest.mark.parametrize(
    ("tag", "value", "expected"),
    [(50706, b"\1\4\0\0", r"a camera RAW file \(DNG\)"), (254, 1, "begins with a preview")],
)
def test_the_preview_in_a_raw_file_is_not_taken_for_the_photo(tag, value, expected):
    info = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    info.tagtype[tag] = 1 if isinstance(value, bytes) else 4
    info[tag] = value
    content = io.BytesIO()
    PIL.Image.fromarray(upright()).save(content, "TIFF", tiffinfo=info)
    with pytest.raises(DataError, match=expected):
        decode_image(content.getvalue(), "it")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"8BPS\0\1" + bytes(20), r"a Photoshop file \(PSD\) cannot be decoded.*convert it"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document cannot be decoded"),
        (b"PK\3\4" + bytes(30), "a ZIP archive cannot be decoded.*unpack it first"),
        (b"<html>Not found</html>", "a web page cannot be decoded"),
        (b"I am text", "a text file cannot be decoded.*expected PNG, JPEG"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "a QuickTime video cannot be decoded.*such as .mp4"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(20), r"a camera RAW file \(CR2\)"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL cannot be decoded"),
        (b"\x89PNG\r\n\x1a\n" + bytes(9), "a PNG that cannot be decoded.*cut off"),
        (b"\x8b\x13\x99\xff", "cannot be decoded as an image, expected PNG"),
    ],
)
def test_what_is_no_image_is_named_with_what_to_do(content, expected):
    with pytest.raises(DataError, match=f"it: {expected}") as raised:
        decode_image(content, "it")
    assert "\n" not in str(raised.value)
