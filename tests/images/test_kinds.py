"""Files are named by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import wave
import zipfile

import cv2
import numpy as np
import PIL.Image
import pytest
from tests.vision.made import encoded, picture, write_video

from mien.images.kinds import advice, identify, is_photo, is_video, kind_of


def by_pil(kind: str, mode: str = "RGB") -> bytes:
    content = io.BytesIO()
    PIL.Image.new(mode, (64, 48)).save(content, kind)
    return content.getvalue()


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "application/epub+zip" if name == "mimetype" else "x")
    return content.getvalue()


def tarred() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.jpg"))
    return content.getvalue()


def waved() -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(100))
    return content.getvalue()


def saved(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "group"),
    [
        (encoded(picture(), ".png"), "a PNG", "photo"),
        (encoded(picture()), "a JPEG", "photo"),
        (encoded(picture(), ".bmp"), "a BMP", "photo"),
        (encoded(picture(), ".tiff"), "a TIFF", "photo"),
        (encoded(picture(), ".webp"), "a WebP", "photo"),
        (encoded(picture(), ".jp2"), "a JPEG 2000", "photo"),
        (encoded(picture(), ".ppm"), "a PNM image", "photo"),
        (by_pil("GIF"), "a GIF", "photo"),
        (by_pil("AVIF"), "an AVIF", "photo"),
        (encoded(picture(), ".sr"), "a Sun raster image", "picture"),
        (encoded(picture(), ".hdr"), "a Radiance HDR image", "picture"),
        (encoded(picture().astype(np.float32), ".pfm"), "a PFM image of floats", "picture"),
        (by_pil("ICO"), "an icon (ICO)", "picture"),
        (by_pil("TGA"), "a TGA image", "picture"),
        (by_pil("PCX"), "a PCX image", "picture"),
        (by_pil("SGI"), "an SGI image", "picture"),
        (by_pil("DDS"), "a DDS texture", "picture"),
        (b"8BPS\0\1" + bytes(20), "a Photoshop file (PSD)", "picture"),
        (b"\xff\x0a\xfa\x1f\x90", "a JPEG XL", "picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "a JPEG XL", "picture"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(20), "a camera RAW file (CR2)", "picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a camera RAW file (CR3)", "picture"),
        (b"IIRO\x08\0\0\0", "a camera RAW file (ORF)", "picture"),
        (b"<?xml version='1.0'?>\n<svg width='9'></svg>", "an SVG drawing", "picture"),
        (bytes(128) + b"DICM", "a DICOM file", "picture"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "an MP4 video", "video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a QuickTime video", "video"),
        (b"\0\0\0\x08wide\0\0\1\0mdat", "a QuickTime video", "video"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1", "a Matroska or WebM video", "video"),
        (b"RIFF\0\1\0\0AVI LIST", "an AVI video", "video"),
        ((b"G" + bytes(187)) * 4, "an MPEG transport stream", "video"),
        ((bytes(4) + b"G" + bytes(187)) * 4, "an MPEG transport stream", "video"),
        (b"FLV\1\5\0\0\0\x09", "an FLV video", "video"),
        (b"OggS\0\2" + bytes(22) + b"\x80theora", "an Ogg video", "video"),
        (b"OggS\0\2" + bytes(22) + b"\1vorbis", "an Ogg sound file", "audio"),
        (waved(), "a WAV sound file", "audio"),
        (b"ID3\4\0\0\0\0\0\x21", "an MP3 sound file", "audio"),
        (b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42", "an M4A sound file", "audio"),
        (zipped("a.jpg"), "a ZIP archive", "archive"),
        (zipped(), "an empty ZIP archive", "archive"),
        (zipped("[Content_Types].xml"), "a Microsoft Office document", "document"),
        (zipped("mimetype"), "an EPUB document", "document"),
        (tarred(), "a tar archive", "archive"),
        (gzip.compress(b"x", mtime=0), "a gzip archive", "archive"),
        (bz2.compress(b"x"), "a bzip2 archive", "archive"),
        (lzma.compress(b"x"), "an xz archive", "archive"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive", "archive"),
        (b"Rar!\x1a\7\1\0", "a RAR archive", "archive"),
        (b"%PDF-1.7\n", "a PDF document", "document"),
        (saved(np.zeros(3)), "a NumPy array (.npy)", "data"),
        (b"SQLite format 3\0" + bytes(20), "an SQLite database", "data"),
        (bytes(100), "a file of zeros", "data"),
        (b"<!DOCTYPE html><html>", "a web page", "page"),
        ("\ufeff\n <HTML lang='x'>é".encode(), "a web page", "page"),
        (b'{"error": "no"}', "a JSON file", "text"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "an HLS playlist", "playlist"),
        (b"I am text", "a text file", "text"),
        ("фото".encode() * 2000, "a text file", "text"),  # cut inside a letter
        (b"BMW and MINI are text", "a text file", "text"),
        (b"MZ is text, as is ID3", "a text file", "text"),
        (b"", "", ""),
        (b"\x8b\x13\x00\x99\xff", "", ""),
    ],
)  # fmt: skip
def test_a_file_is_named(content, name, group):
    assert identify(content) == (name, group)
    assert kind_of(content) == name
    assert is_photo(content) == (group == "photo")
    assert is_video(content) == (group == "video")


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_what_opencv_writes_is_a_video(suffix, tmp_path):
    assert is_video(write_video(tmp_path / f"a{suffix}", frames=2).read_bytes())


def test_the_brands_of_a_file_decide_between_avif_and_heic():
    def brands(major: bytes, *others: bytes) -> bytes:
        size = 16 + 4 * len(others)
        return size.to_bytes(4, "big") + b"ftyp" + major + bytes(4) + b"".join(others)

    assert kind_of(brands(b"mif1", b"mif1", b"heic")) == "a HEIC"
    assert kind_of(brands(b"mif1", b"mif1", b"avif")) == "an AVIF"
    assert kind_of(brands(b"msf1", b"hevc")) == "a HEIC"
    assert kind_of(brands(b"mp42", b"isom")) == "an MP4 video"


def test_what_is_no_photo_comes_with_advice():
    assert advice(identify(zipped("a.jpg"))) == "unpack it first"
    assert "video" in advice(identify(b"FLV\1"))
    assert "PNG" in advice(identify(b"I am text"))


def test_only_the_beginning_matters():
    content = encoded(cv2.resize(picture(), (1000, 1000)), ".png")
    assert kind_of(content) == kind_of(content[:64]) == "a PNG"
