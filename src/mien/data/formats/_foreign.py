"""Name files that no layout reads: archives, workbooks, arrays, web pages and others."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Final

from mien.errors import DataError
from mien.images.kinds import HEAD_BYTES, Kind, identify

_GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_PARQUET: Final = b"PAR1"
_PERHAPS_A_TABLE: Final = ("", "a text file")
_TAR_BLOCK: Final = 512  # bytes of a tar archive's first header
# First bytes of files that hold data for programs, and what they are.
_DATA: Final = (
    (b"MATLAB 5.0 MAT-file", "a MATLAB file (.mat)"),
    (b"ARROW1", "an Arrow file"),
    (b"FEA1", "a Feather file"),
    (b"RDX", "an R data file"),
    (b"\x80\2", "a Python pickle"),
    (b"\x80\3", "a Python pickle"),
    (b"\x80\4", "a Python pickle"),
    (b"\x80\5", "a Python pickle"),
)
# Files in a ZIP archive by which another kind of file is known.
_IN_ZIP: Final = (
    ("xl/workbook.xml", Kind("an Excel workbook", "document")),
    ("xl/workbook.bin", Kind("an Excel workbook", "document")),
    ("word/document.xml", Kind("a Word document", "document")),
    ("content.xml", Kind("an OpenDocument document", "document")),
    ("/data.pkl", Kind("a PyTorch file", "data")),
)
_CONVERT: Final = "convert it to a CSV (emotion,pixels,Usage), to Parquet or to class folders"
_ADVICE: Final = {
    "archive": "unpack it, and give the folder or the CSV file in it",
    "document": "save its table as CSV (UTF-8)",
    "data": _CONVERT,
    "page": "it was saved in place of the data; log in there and download the data again",
    "utf-16": "save it as UTF-8",
}


def first_content(path: Path) -> bytes:
    """Return the first bytes of a file, decompressed if it is gzipped.

    Raises:
        DataError: if the file cannot be read.
    """
    try:
        with path.open("rb") as handle:
            start = handle.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if not start.startswith(_GZIP_MAGIC):
        return start
    try:
        return zlib.decompressobj(wbits=31).decompress(start, HEAD_BYTES)
    except zlib.error:  # damaged: whoever reads it says so
        return start


def describe_file(path: Path) -> tuple[str, str]:
    """Return what a file is, and what to do about it if no layout reads it; empty if unknown.

    Raises:
        DataError: if the file cannot be read.
    """
    start = first_content(path)
    if not start:
        return "an empty file", ""
    kind = _kind(path, start)
    return kind.name, _ADVICE.get(kind.group, "")


def is_text(path: Path) -> bool:
    """Return whether a file may be a table in text, gzipped or not: it is of no other known kind.

    Raises:
        DataError: if the file cannot be read.
    """
    start = first_content(path)
    return not start or start.startswith(_GZIP_MAGIC) or _kind(path, start).name in _PERHAPS_A_TABLE


def _kind(path: Path, start: bytes) -> Kind:
    if start.startswith(_PARQUET):
        return Kind("a Parquet file", "")
    if start.startswith(_UTF_16):
        return Kind("a text file in UTF-16", "utf-16")
    for magic, name in _DATA:
        if start.startswith(magic):
            return Kind(name, "data")
    if _is_tar(start):
        return Kind("a tar archive", "archive")
    kind = identify(start)
    if kind.name == "a ZIP archive":
        return _kind_of_zip(path) or kind
    if not kind.name and b"\0" in start:
        return Kind("a binary file of an unknown kind", "data")
    return kind


def _is_tar(start: bytes) -> bool:
    """Return whether bytes begin with a tar header, by its checksum: old ones have no signature."""
    try:
        tarfile.TarInfo.frombuf(start[:_TAR_BLOCK], "utf-8", "replace")
    except tarfile.HeaderError:
        return False
    return True


def _kind_of_zip(path: Path) -> Kind | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return None
    if names and all(name.endswith(".npy") for name in names):
        return Kind("a file of NumPy arrays (.npz)", "data")
    found = (kind for end, kind in _IN_ZIP if any(name.endswith(end) for name in names))
    return next(found, None)
