"""Name what a file is by its first bytes, for messages, and to choose who reads it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

HEAD_BYTES: Final = 4096  # so many bytes of a file's beginning are enough


class Kind(NamedTuple):
    """What a file is.

    Args:
        name: noun phrase with its article, such as ``a ZIP archive``.
        group: ``photo`` for images that mien decodes; ``picture`` for other images; ``video``,
            ``playlist``, ``audio``, ``archive``, ``document``, ``page``, ``text`` or ``data``.
    """

    name: str
    group: str


# What to do about a file of each group that is not a photo.
_ADVICE: Final = {
    "picture": "convert it to PNG or JPEG first",
    "video": "give it the suffix of a video, such as .mp4",
    "archive": "unpack it first",
    "document": "save its pictures as PNG or JPEG first",
}

_PHOTOS: Final = (
    (0, b"\x89PNG", "a PNG"),
    (0, b"\xff\xd8", "a JPEG"),
    (0, b"GIF8", "a GIF"),
    (0, b"BM", "a BMP"),
    (8, b"WEBP", "a WebP"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000"),
)
_TIFFS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PICTURES: Final = (
    (0, b"8BPS", "a Photoshop file (PSD)"),
    (0, b"\0\0\1\0", "an icon (ICO)"),
    (0, b"\xff\x0a", "a JPEG XL"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL"),
    (0, b"\xff\xd8\xff\xf7", "a JPEG-LS"),
    (0, b"II\xbc\x01", "a JPEG XR"),
    (8, b"CR\2", "a camera RAW file (CR2)"),
    (0, b"IIRO", "a camera RAW file (ORF)"),
    (0, b"IIRS", "a camera RAW file (ORF)"),
    (0, b"MMOR", "a camera RAW file (ORF)"),
    (0, b"IIU\0", "a camera RAW file (RW2)"),
    (0, b"FUJIFILMCCD-RAW", "a camera RAW file (RAF)"),
    (0, b"FOVb", "a camera RAW file (X3F)"),
    (0, b"\0MRM", "a camera RAW file (MRW)"),
    (6, b"HEAPCCDR", "a camera RAW file (CRW)"),
    (0, b"v/1\1", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"#?RGBE", "a Radiance HDR image"),
    (0, b"PF\n", "a PFM image of floats"),
    (0, b"Pf\n", "a PFM image of floats"),
    (0, b"\x59\xa6\x6a\x95", "a Sun raster image"),
    (0, b"\1\xda", "an SGI image"),
    (0, b"\x0a\5\1\x08", "a PCX image"),
    (0, b"\0\0\2\0\0\0\0\0\0\0\0\0", "a TGA image"),
    (0, b"\0\0\x0a\0\0\0\0\0\0\0\0\0", "a TGA image"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"qoif", "a QOI image"),
    (0, b"BPG\xfb", "a BPG image"),
    (0, b"FLIF", "a FLIF image"),
    (0, b"farbfeld", "a farbfeld image"),
    (0, b"icns", "an icon (ICNS)"),
    (0, b"gimp xcf", "a GIMP file (XCF)"),
    (128, b"DICM", "a DICOM file"),
    (0, b"SIMPLE  =", "a FITS image"),
    (0, b"AT&TFORM", "a DjVu document"),
    (40, b" EMF", "a Windows metafile"),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (0, b"/* XPM */", "an XPM image"),
)
_VIDEOS: Final = (
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (8, b"AVI ", "an AVI video"),
    (0, b"FLV\1", "an FLV video"),
    (0, b"\0\0\1\xba", "an MPEG video"),
    (0, b"\0\0\1\xb3", "an MPEG video"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media video"),
    (0, b".RMF", "a RealMedia video"),
    (0, b"DKIF", "an IVF video"),
    (0, b"YUV4MPEG2 ", "a Y4M video"),
    (0, b"nut/multimedia", "a NUT video"),
    (0, b"\x06\x0e\x2b\x34\2\5\1\1", "an MXF video"),
    (0, b"\0\0\0\1\x67", "a raw H.264 video"),
    (0, b"\0\0\0\1\x09", "a raw H.264 video"),
    (0, b"\0\0\0\1\x40\1", "a raw H.265 video"),
)
_AUDIO: Final = (
    (8, b"WAVE", "a WAV sound file"),
    (0, b"ID3", "an MP3 sound file"),
    (0, b"\xff\xfb", "an MP3 sound file"),
    (0, b"\xff\xf3", "an MP3 sound file"),
    (0, b"\xff\xf2", "an MP3 sound file"),
    (0, b"\xff\xf1", "an AAC sound file"),
    (0, b"\xff\xf9", "an AAC sound file"),
    (0, b"fLaC", "a FLAC sound file"),
    (8, b"AIFF", "an AIFF sound file"),
    (0, b"MThd", "a MIDI file"),
    (0, b"#!AMR", "an AMR sound file"),
)
_ARCHIVES: Final = (
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"PK\5\6", "an empty ZIP archive"),
    (0, b"PK\7\x08", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x1f\x9d", "a compressed archive (.Z)"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\0", "an xz archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\7", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (0, b"\4\x22\x4d\x18", "an LZ4 archive"),
    (0, b"MSCF", "a Windows cabinet archive"),
    (0, b"!<arch>", "an ar archive"),
)
_DOCUMENTS: Final = (
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (0, b"\xd0\xcf\x11\xe0", "a Microsoft Office document"),
    (0, b"{\\rtf", "an RTF document"),
)
_DATA: Final = (
    (0, b"\x93NUMPY", "a NumPy array (.npy)"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"SQLite format 3", "an SQLite database"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a Windows program"),
    (0, b"FWS", "a Flash file"),
    (0, b"CWS", "a Flash file"),
)
_TABLES: Final = (  # in this order: CR2 begins as TIFF does, JPEG-LS as JPEG
    ("picture", _PICTURES),
    ("photo", _PHOTOS),
    ("video", _VIDEOS),
    ("audio", _AUDIO),
    ("archive", _ARCHIVES),
    ("document", _DOCUMENTS),
    ("data", _DATA),
)

# Brands of ISO base media files (ftyp) that are not videos.
_AVIF_BRANDS: Final = (b"avif", b"avis")
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AUDIO_BRANDS: Final = (b"M4A ", b"M4B ", b"M4P ")
_QUICKTIME_BOXES: Final = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")

_PNM: Final = re.compile(rb"P[1-7]\s")
_ZIP_KINDS: Final = (
    (b"[Content_Types].xml", "a Microsoft Office document"),
    (b"mimetypeapplication/vnd.oasis", "an OpenDocument document"),
    (b"mimetypeapplication/epub", "an EPUB document"),
)
_PAGE: Final = re.compile(rb"<(!doctype html|html|head|body|title|script)\b", re.IGNORECASE)
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def kind_of(content: bytes) -> str:
    """Return what a file is, such as ``a ZIP archive``; an empty string if that is unknown.

    Args:
        content: the file's first bytes; `HEAD_BYTES` of them are enough.
    """
    return identify(content).name


def identify(content: bytes) -> Kind:
    """Return what a file is; an empty name and group if that is unknown.

    Args:
        content: the file's first bytes; `HEAD_BYTES` of them are enough.
    """
    head = bytes(content[:HEAD_BYTES])
    return _by_signature(head) or _by_structure(head) or _text(head)


def is_photo(content: bytes) -> bool:
    """Return whether a file that begins with these bytes is an image that mien may decode."""
    return identify(content).group == "photo"


def is_video(content: bytes) -> bool:
    """Return whether a file that begins with these bytes is a video."""
    return identify(content).group == "video"


def advice(kind: Kind) -> str:
    """Return what to do about a file that is not a photo."""
    return _ADVICE.get(kind.group, "expected PNG, JPEG, WebP, BMP, TIFF, GIF or AVIF")


def _by_signature(head: bytes) -> Kind | None:
    for group, table in _TABLES:
        for at, magic, name in table:
            if head.startswith(magic, at) and _is_sure(head, magic):
                return _in_zip(head) or Kind(name, group)
    return None


def _by_structure(head: bytes) -> Kind | None:
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head.startswith(_TIFFS):
        return Kind("a TIFF", "photo")
    if _PNM.match(head):
        return Kind("a PNM image", "photo")
    if head[4:8] in _QUICKTIME_BOXES:
        return Kind("a QuickTime video", "video")
    if head.startswith(b"OggS"):
        is_video = b"theora" in head or b"\1video" in head
        return Kind("an Ogg video", "video") if is_video else Kind("an Ogg sound file", "audio")
    for start, step in ((0, 188), (4, 192)):
        if len(head) > start + 2 * step and head[start : start + 2 * step + 1 : step] == b"GGG":
            return Kind("an MPEG transport stream", "video")
    is_zeros = bool(head) and not head.strip(b"\0")
    return Kind("a file of zeros", "data") if is_zeros else None


def _is_sure(head: bytes, magic: bytes) -> bool:
    """Return whether a short signature is confirmed by what follows it."""
    if magic == b"BM":  # its size of the header: 12 to 124 bytes, or damaged
        return len(head) < 18 or head[15:18] == b"\0\0\0" or not _is_text(head)
    if magic in (b"MZ", b"FWS", b"CWS", b"ID3", b"BZh", b"icns", b"FLIF", b"MThd"):
        return not _is_text(head)
    if magic == b"\0\0\1\0":  # an icon has 1 to 255 pictures, and a reserved zero
        return head[4:6] != b"\0\0" and head[5:6] == b"\0"
    if magic in (b"WEBP", b"AVI ", b"WAVE"):
        return head.startswith(b"RIFF")
    if magic == b"AIFF":
        return head.startswith(b"FORM")
    return True


def _in_zip(head: bytes) -> Kind | None:
    """Return the kind of a document that is a ZIP archive of its parts."""
    if head.startswith(b"PK\3\4"):
        for mark, name in _ZIP_KINDS:
            if mark in head[:256]:
                return Kind(name, "document")
    return None


def _iso_media(head: bytes) -> Kind:
    """Return the kind of an ISO base media file, by the brands in its first box."""
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, _box_bytes(head), 4))]
    if brands[0] == b"crx ":
        return Kind("a camera RAW file (CR3)", "picture")
    if any(brand in _AVIF_BRANDS for brand in brands):
        return Kind("an AVIF", "photo")
    if any(brand in _HEIF_BRANDS for brand in brands):
        return Kind("a HEIC", "photo")
    if brands[0] in _AUDIO_BRANDS:
        return Kind("an M4A sound file", "audio")
    if brands[0] == b"qt  ":
        return Kind("a QuickTime video", "video")
    return Kind("an MP4 video", "video")


def _box_bytes(head: bytes) -> int:
    return min(int.from_bytes(head[:4], "big"), len(head))


def _text(head: bytes) -> Kind:
    if not _is_text(head):
        return Kind("", "")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<svg" in text:
        return Kind("an SVG drawing", "picture")
    if text.startswith(b"#EXTM3U"):
        return Kind("an HLS playlist", "playlist")
    if b"<MPD" in text:
        return Kind("a DASH manifest", "playlist")
    if _PAGE.search(text[:1024]):
        return Kind("a web page", "page")
    if text.startswith(b"<?xml"):
        return Kind("an XML file", "text")
    if text.startswith((b"{", b"[")):
        return Kind("a JSON file", "text")
    if text.startswith(b"version https://git-lfs"):
        return Kind("a Git LFS pointer instead of the file itself (run git lfs pull)", "text")
    return Kind("a text file", "text") if text else Kind("", "")


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return True
    if _CONTROLS.search(head):
        return False
    for cut in range(4):  # the last character may be cut
        try:
            head[: len(head) - cut].decode()
        except UnicodeDecodeError:
            continue
        return True
    return False
