from __future__ import annotations

import io
import struct
import time
import zlib

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
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


def test_the_limit_of_every_way_in_holds_without_an_argument(monkeypatch):
    content = encoded(picture(size=(80, 60)), ".png")
    monkeypatch.setenv("MIEN_MAX_PIXELS", "4799")
    with pytest.raises(SourceError, match="--max-pixels 4800"):
        list(open_source(content))
    assert [frame.image.shape for frame in open_source(content, max_pixels=4800)] == [(60, 80, 3)]


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


@pytest.mark.parametrize("suffix", [".sr", ".hdr"])
def test_a_kind_whose_size_is_not_known_before_is_refused(suffix):
    content = encoded(picture(), suffix)
    with pytest.raises(SourceError, match="image cannot be decoded as an image; convert it"):
        list(open_source(content))


@pytest.mark.parametrize("suffix", [".ppm", ".pgm", ".pbm", ".jp2", ".pam"])
def test_the_limit_knows_kinds_with_other_headers(suffix):
    image = picture(size=(80, 60))
    content = encoded(image[..., 0] if suffix in (".pgm", ".pbm") else image, suffix)
    (frame,) = open_source(content, max_pixels=4800)
    assert frame.image.shape == (60, 80, 3)
    with pytest.raises(SourceError, match="--max-pixels 4800"):
        list(open_source(content[: len(content) - 40], max_pixels=4799))


def test_a_comment_in_a_pnm_is_no_size():
    content = b"P6 # 9 9\n#8 8\n4 3\n255\n" + bytes(range(36))
    (frame,) = open_source(content)
    assert frame.image.shape == (3, 4, 3)


def test_the_limit_is_checked_before_a_heic_is_decoded():
    pillow_heif = pytest.importorskip("pillow_heif")
    content = io.BytesIO()
    pillow_heif.from_pillow(PIL.Image.new("RGB", (80, 64), (9, 99, 9))).save(content, format="HEIF")
    (frame,) = open_source(content.getvalue())
    assert frame.image.shape == (64, 80, 3)
    cut_off = content.getvalue()[:-20]
    with pytest.raises(SourceError, match="--max-pixels"):
        list(open_source(cut_off, max_pixels=5119))


def test_the_limit_holds_for_pil_and_video(tmp_path):
    with pytest.raises(SourceError, match="--max-pixels"):
        list(open_source(PIL.Image.new("RGB", (80, 60)), max_pixels=4799))
    with pytest.raises(SourceError, match="--max-pixels"):
        open_source(write_video(tmp_path / "a.avi", frames=2), max_pixels=64 * 48 - 1)


def test_a_picture_that_pil_cannot_finish_is_said():
    whole = encoded(cv2.resize(picture(), (400, 400)), ".png")
    with pytest.raises(SourceError, match="PIL cannot decode"):
        list(open_source(PIL.Image.open(io.BytesIO(whole[: len(whole) // 2]))))


LEVELS = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (48, 1))


@pytest.mark.parametrize(
    "picture_of_pil",
    [
        PIL.Image.fromarray(LEVELS).convert("I"),
        PIL.Image.fromarray(LEVELS.astype(np.int32) * 257),
        PIL.Image.fromarray(LEVELS.astype("<u2") * 257),
        PIL.Image.fromarray(LEVELS.astype(">u2") * 257),
        PIL.Image.fromarray(LEVELS).convert("F"),
        PIL.Image.fromarray((LEVELS / 255).astype(np.float32)),
        PIL.Image.fromarray(LEVELS),
        PIL.Image.fromarray(LEVELS).convert("LA"),
        PIL.Image.fromarray(LEVELS).convert("PA"),
    ],
    ids=["I", "I of 16 bits", "I;16", "I;16B", "F", "F to 1", "L", "LA", "PA"],
)
def test_gray_levels_of_pil_keep_their_brightness(picture_of_pil):
    (frame,) = open_source(picture_of_pil)
    gray = frame.image if frame.image.ndim == 2 else frame.image[..., 0]
    assert abs(gray.astype(int) - LEVELS).max() <= 1


@pytest.mark.parametrize(
    "levels",
    [np.full((4, 4), 70_000, np.int32), np.full((4, 4), -1, np.int32),
     np.full((4, 4), 256.5, np.float32), np.full((4, 4), -0.5, np.float32),
     np.full((4, 4), np.nan, np.float32), np.array([[0, np.inf]], np.float32)],
)  # fmt: skip
def test_levels_out_of_range_are_refused(levels):
    with pytest.raises(SourceError, match=r"of mode [IF] with levels from .*scale them first"):
        list(open_source(PIL.Image.fromarray(levels)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "P", "LAB"])
def test_colours_of_pil_become_blue_green_red(mode):
    image = PIL.Image.new("RGB", SIZE, (200, 100, 50))
    if mode == "LAB":
        profiles = [PIL.ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
        image = PIL.ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
    elif mode == "RGBa":
        image = image.convert("RGBA").convert("RGBa")
    else:
        image = image.convert(mode)
    if mode == "P":
        image.info["transparency"] = b"\0" * 256  # as in a palette PNG
    (frame,) = open_source(image)
    np.testing.assert_allclose(frame.image.mean((0, 1)), (50, 100, 200), atol=4)


def test_a_transparent_background_is_what_is_stored_under_it(tmp_path):
    pixels = np.full((48, 64, 4), (200, 100, 50, 0), np.uint8)
    (from_pil,) = open_source(PIL.Image.fromarray(pixels))
    (from_array,) = open_source(np.ascontiguousarray(pixels[..., [2, 1, 0, 3]]))
    for kind in ("PNG", "TIFF"):
        PIL.Image.fromarray(pixels).save(tmp_path / "a", kind)
        (from_file,) = open_source(tmp_path / "a")
        np.testing.assert_array_equal(from_file.image, from_pil.image)
    np.testing.assert_array_equal(from_array.image, from_pil.image)


def test_a_pil_image_without_pixels_is_refused():
    with pytest.raises(SourceError, match="0x0 pixels"):
        list(open_source(PIL.Image.new("RGB", (0, 0))))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # of PIL, when it opens a file
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"junk" * 8, b"MM\0*\0\0\0\x08\xff\xff\x01", b"II"])
def test_exif_data_that_pil_cannot_parse_is_no_error(kind, exif, tmp_path, capfd):
    path = tmp_path / f"odd.{kind.lower()}"
    PIL.Image.fromarray(picture()[..., ::-1]).save(path, exif=b"Exif\0\0" + exif)
    with PIL.Image.open(path) as opened:
        (from_pil,) = open_source(opened)
    (frame,) = open_source(path)
    assert from_pil.image.shape == frame.image.shape == (48, 64, 3)
    assert capfd.readouterr().err == ""


def notes_of(spec) -> list[str]:
    opened = open_source(spec)
    assert len(list(opened)) == 1
    assert opened.failures == []
    assert len(list(opened)) == 1  # read twice, noted once
    return opened.notes


def test_a_photo_of_one_value_is_read_and_noted(tmp_path):
    path = tmp_path / "black.png"
    path.write_bytes(encoded(np.zeros((48, 64, 3), np.uint8), ".png"))
    assert notes_of(path) == [f"{path}: a photo of one value: every pixel is the same"]
    (note,) = notes_of(path.read_bytes())
    assert note.startswith("the picture: ")
    assert notes_of(np.zeros((48, 64, 3), np.uint8)) == []
    one = np.zeros((48, 64, 3), np.uint8)
    one[47, 63, 2] = 1
    assert notes_of(encoded(one, ".png")) == []


def test_what_is_left_out_of_a_picture_is_noted(tmp_path):
    first, *rest = [PIL.Image.fromarray(picture(shade)) for shade in (40, 120, 200)]
    for kind, expected in (("TIFF", "a TIFF of 3 pages"), ("GIF", "an animation"),
                           ("WEBP", "an animation"), ("PNG", "an animation")):  # fmt: skip
        path = tmp_path / f"several.{kind.lower()}"
        first.save(path, save_all=True, append_images=rest)
        (note,) = notes_of(path)
        assert note.startswith(f"{path}: {expected}, of which only the first")
        first.save(path)
        assert notes_of(path) == []


def test_a_video_with_the_name_of_a_photo_is_named(tmp_path):
    video = write_video(tmp_path / "a.avi", frames=3)
    photo = video.rename(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match=r"a\.jpg: an AVI video cannot be .*such as \.mp4"):
        list(open_source(photo))
    for name in ("a.foreign", "a"):
        with open_source(photo.rename(tmp_path / name)) as opened:
            assert (opened.kind, len(list(opened))) == ("video", 3)
        photo = tmp_path / name
