"""Read the rows of a CSV file as bytes, a block of the file at a time."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from mien.data.formats._fields import (
    DRAWN,
    LABEL_COLUMNS,
    SPLIT_COLUMNS,
    find_column,
    other_columns,
)
from mien.errors import DataError, nearest
from mien.io.limits import CONTENT_MB, LINE_KB, ROWS

GZIP_MAGIC: Final = b"\x1f\x8b"
HEADER_BYTES: Final = 65_536  # longest header line that is read

_DELIMITERS: Final = ",;\t"
_PIXEL_COLUMN: Final = re.compile(r"(?:pixel|px|p)?[ _]?\d{1,5}(?:x\d{1,3})?")
_BLOCK_BYTES: Final = 1 << 20  # about 125 rows: small enough for the CPU's cache
_BLOCK_ROWS: Final = 4096  # of rows that are short, and so damaged


@dataclass(frozen=True)
class Header:
    """Positions of the columns, and their number; ``usage`` is None if no column states it.

    ``note`` is a line about columns that are not read, though they could be; empty if there are
    none. ``drawn`` is whether a column states that mien drew the faces.
    """

    emotion: int
    pixels: int
    usage: int | None
    width: int
    delimiter: bytes = b","
    line_end: bytes = b"\n"
    note: str = ""
    drawn: bool = False


class Row(NamedTuple):
    """The fields of one row; ``number`` counts the rows below the header, from 1."""

    number: int
    emotion: bytes
    pixels: bytes
    usage: bytes


def open_csv(path: Path) -> BinaryIO:
    """Open a CSV for reading, gzipped or not."""
    try:
        with path.open("rb") as handle:
            gzipped = handle.read(2) == GZIP_MAGIC
        return cast(BinaryIO, gzip.open(path)) if gzipped else path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def next_line(handle: BinaryIO, path: Path, number: int) -> bytes:
    """Return the next line of a file, with its end; empty at the end of the file.

    Args:
        handle: opened file (`open_csv`).
        path: path of the file, for errors.
        number: number of the row in errors.

    Raises:
        DataError: if the line or the decompressed file is too long, or it cannot be decompressed.
    """
    most = LINE_KB.value << 10
    try:
        line = handle.readline(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, number, error) from error
    _check_length(len(line), path, number)
    _check_unpacked(handle, path)
    return line


def _check_length(length: int, path: Path, number: int) -> None:
    LINE_KB.check(length / 1024, f"{path}: row {number:,}")


def _check_unpacked(handle: BinaryIO, path: Path) -> None:
    if isinstance(handle, gzip.GzipFile):
        CONTENT_MB.check(handle.tell() / (1 << 20), f"{path}: decompressed")


def _damaged(path: Path, number: int, error: Exception) -> DataError:
    return DataError(
        f"{path}: cannot be decompressed past row {number:,} ({error}); is the file complete?"
    )


def read_header(handle: BinaryIO, path: Path) -> Header:
    """Read the header, and return the positions of the columns.

    Raises:
        DataError: if the file is empty or lacks a column.
    """
    try:
        line = handle.readline(HEADER_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be decompressed ({error})") from error
    line_end = b"\n"
    if b"\r" in line.rstrip(b"\r\n"):  # lines that end in CR alone, as on old Macs
        line, line_end = line.partition(b"\r")[0], b"\r"
        handle.seek(len(line) + 1)
    text = line.decode("utf-8-sig", errors="replace")
    if not text.strip():
        raise DataError(f"{path}: the file is empty, expected the header emotion,pixels,Usage")
    delimiter = max(_DELIMITERS, key=text.count)
    names = [name.strip().strip('"').strip().lower() for name in text.split(delimiter)]
    label, pixels = find_column(names, LABEL_COLUMNS), find_column(names, ("pixels",))
    if label is None or pixels is None:
        wanted = "emotion" if label is None else "pixels"
        shown = ",".join(names)[:60].encode("unicode_escape").decode()  # may be binary
        raise DataError(
            f"{path}: no column {wanted!r}{nearest(wanted, names)} in the header '{shown}', "
            f"expected emotion,pixels,Usage, or path,label for a list of image files"
            f"{_other_table(names)}"
        )
    usage = find_column(names, SPLIT_COLUMNS)
    read = {"labels": (label, LABEL_COLUMNS), "splits": (usage, SPLIT_COLUMNS)}
    note = other_columns(path.name, names, read)
    return Header(
        label, pixels, usage, len(names), delimiter.encode(), line_end, note, DRAWN in names
    )


def _other_table(names: list[str]) -> str:
    """Return what a table of another kind is, by its columns; empty if that is unknown."""
    if {"image name", "contempt", "nf"} <= set(names):
        return "; these are FER+'s votes, without images: give FER-2013's CSV, and these as --votes"
    if sum(_PIXEL_COLUMN.fullmatch(name) is not None for name in names) > 1:
        return "; this table has a column for each pixel: join them with spaces in one column"
    if "pixels" in names:
        return "; these faces have no labels, as the test images of the competition"
    return ""


def row_blocks(handle: BinaryIO, header: Header, path: Path) -> Iterator[list[Row]]:
    """Yield the rows of the file in blocks; fields that a row lacks are empty."""
    number = 0
    rest = b""
    while True:
        try:
            block = handle.read(_BLOCK_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(path, number, error) from error
        _check_unpacked(handle, path)
        lines = (rest + block).split(header.line_end)
        rest = lines.pop() if block else b""
        _check_length(len(rest), path, number + 1)  # it would be joined to block after block
        rows = []
        for line in lines:
            if not line.strip():
                continue
            number += 1
            rows.append(_cut(line, number, header))
            if len(rows) == _BLOCK_ROWS:
                ROWS.check(number, path)
                yield rows
                rows = []
        ROWS.check(number, path)
        if rows:
            yield rows
        if not block:
            return


def _cut(line: bytes, number: int, header: Header) -> Row:
    fields = [field.strip(b' "\r\t') for field in line.split(header.delimiter)]
    fields += [b""] * (header.width - len(fields))
    usage = b"" if header.usage is None else fields[header.usage]
    return Row(number, fields[header.emotion], fields[header.pixels], usage)
