"""FER-2013's CSV: ``emotion,pixels,Usage``, one face per row, and its common variants.

A generic CSV reader takes a minute for FER-2013's 270 MB, nearly all of it to turn 75 million
numbers from text into bytes. Here NumPy converts whole blocks of rows, on two threads. A block with
anything unexpected in it is converted again row by row, to report what is wrong and where.
"""

from __future__ import annotations

import gzip
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import USAGES
from mien.data.formats._csv_pixels import NUM_PIXELS, parse_pixels, parse_row_pixels
from mien.data.formats._fields import parse_label, parse_usage
from mien.data.formats.base import FORMATS, Format, Source, first_bytes, visible_files
from mien.data.rows import Rows, join_images, text_array
from mien.errors import DataError, nearest
from mien.types import Images

_BLOCK_BYTES: Final = 1 << 20  # about 125 rows: small enough for the CPU's cache
_WORKERS: Final = 2
_GZIP_MAGIC: Final = b"\x1f\x8b"
_HEADER_BYTES: Final = 65_536  # longest header line that is read


@FORMATS.register("csv")
class CsvFormat(Format):
    """One CSV file, gzipped or not, or a folder that holds one."""

    expects = "a CSV (emotion,pixels,Usage)"
    order = 30
    suffix = ".csv"
    numbers_rows = True

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return a file that looks like a CSV of faces, or the only one in a folder."""
        if len(paths) != 1:
            return None
        (path,) = paths
        if path.is_dir():
            tables = [table for table in visible_files(path, "*.csv*") if _has_pixels(table)]
            if not tables:
                return None
            if len(tables) > 1:
                names = ", ".join(table.name for table in tables)
                raise DataError(f"{path}: has {len(tables)} CSV files ({names}); name one of them")
            (path,) = tables
        else:
            start = first_bytes(path)
            has_header = b"pixels" in start.lower()
            if not (
                start.startswith(_GZIP_MAGIC) or has_header or path.name.lower().endswith(".csv")
            ):
                return None
        return Source(path.name.split(".")[0], (path,))

    def read(self, source: Source, *, skip_bad: bool) -> Rows:
        """Read the CSV file (see `read_csv`)."""
        return read_csv(source.files[0], skip_bad=skip_bad)

    def write(self, dataset: FaceDataset, path: Path) -> None:
        """Write FER-2013's own columns."""
        with path.open("w", encoding="ascii") as handle:
            handle.write("emotion,pixels,Usage\n")
            for image, label, split in zip(
                dataset.images, dataset.labels, dataset.splits, strict=True
            ):
                pixels = " ".join(map(str, image.ravel().tolist()))
                handle.write(f"{label},{pixels},{USAGES[str(split)]}\n")


@dataclass(frozen=True)
class _Header:
    emotion: int
    pixels: int
    usage: int | None
    width: int


@dataclass(frozen=True)
class _Row:
    """The fields of one row; ``number`` counts the rows below the header, from 1."""

    number: int
    emotion: bytes
    pixels: bytes
    usage: bytes


@dataclass(frozen=True)
class _Block:
    images: Images  # (n, 2304)
    labels: list[int]
    splits: list[str]
    numbers: list[int]
    skipped: list[str]


def read_csv(path: Path, *, skip_bad: bool = False) -> Rows:
    """Read a CSV file with the columns emotion, pixels and, optionally, Usage.

    Column names may have any case, order and surrounding spaces; emotions may be numbers or names;
    fields may be quoted; lines may end in CRLF; the file may be gzipped.

    Args:
        path: path of the CSV file.
        skip_bad: leave bad rows out and list them in ``skipped``, instead of raising an error at
            the first.

    Raises:
        DataError: if the file cannot be read or has no usable row, or at the first bad row.
    """
    blocks: list[_Block] = []
    with open_csv(path) as handle, ThreadPoolExecutor(_WORKERS) as pool:
        header = _read_header(handle, path)
        waiting: deque[Future[_Block]] = deque()
        try:
            for rows in _row_blocks(handle, header, path):
                waiting.append(pool.submit(_convert, rows, path, skip_bad))
                if len(waiting) > 2 * _WORKERS:  # bounds the memory that unread blocks hold
                    blocks.append(waiting.popleft().result())
            blocks.extend(future.result() for future in waiting)
        finally:
            for future in waiting:
                future.cancel()

    numbers = [number for block in blocks for number in block.numbers]
    skipped = [line for block in blocks for line in block.skipped]
    if not numbers:
        raise DataError(f"{path}: no usable rows below the header ({len(skipped):,} skipped)")
    return Rows(
        images=join_images(block.images for block in _consume(blocks)),
        labels=np.array([label for block in blocks for label in block.labels], np.int64),
        splits=np.array([split for block in blocks for split in block.splits], "<U5"),
        ids=text_array(f"row {number}" for number in numbers),
        rows=np.array(numbers, np.int64),
        skipped=skipped,
    )


def _consume(blocks: list[_Block]) -> Iterator[_Block]:
    """Yield the blocks, and free the pixels of each once the next one is requested."""
    for index, block in enumerate(blocks):
        yield block
        empty = np.empty((0, NUM_PIXELS), np.uint8)
        blocks[index] = _Block(empty, block.labels, block.splits, block.numbers, block.skipped)


def open_csv(path: Path) -> BinaryIO:
    """Open a CSV for reading, gzipped or not."""
    try:
        with path.open("rb") as handle:
            gzipped = handle.read(2) == _GZIP_MAGIC
        return cast(BinaryIO, gzip.open(path)) if gzipped else path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _has_pixels(table: Path) -> bool:
    """Return whether a CSV file has pixels; folders of images often hold one that has none."""
    try:
        with open_csv(table) as handle:
            return b"pixels" in handle.readline(_HEADER_BYTES).lower()
    except (OSError, EOFError, zlib.error):
        return False


def _read_header(handle: BinaryIO, path: Path) -> _Header:
    try:
        line = handle.readline(_HEADER_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be decompressed ({error})") from error
    text = line.decode("utf-8-sig", errors="replace")
    if not text.strip():
        raise DataError(f"{path}: the file is empty, expected the header emotion,pixels,Usage")
    names = [name.strip().strip('"').strip().lower() for name in text.split(",")]
    for wanted in ("emotion", "pixels"):
        if wanted not in names:
            shown = ",".join(names)[:60]
            raise DataError(
                f"{path}: no column {wanted!r}{nearest(wanted, names)} in the header {shown!r}, "
                "expected emotion,pixels,Usage"
            )
    usage = names.index("usage") if "usage" in names else None
    return _Header(names.index("emotion"), names.index("pixels"), usage, len(names))


def _row_blocks(handle: BinaryIO, header: _Header, path: Path) -> Iterator[list[_Row]]:
    """Yield the rows of the file in blocks; fields that a row lacks are empty."""
    number = 0
    rest = b""
    while True:
        try:
            block = handle.read(_BLOCK_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path}: cannot be decompressed past row {number:,} ({error}); "
                "is the file complete?"
            ) from error
        lines = (rest + block).split(b"\n")
        rest = lines.pop() if block else b""
        rows = []
        for line in lines:
            if not line.strip():
                continue
            number += 1
            rows.append(_cut(line, number, header))
        if rows:
            yield rows
        if not block:
            return


def _cut(line: bytes, number: int, header: _Header) -> _Row:
    fields = [field.strip(b' "\r\t') for field in line.split(b",")]
    fields += [b""] * (header.width - len(fields))
    usage = b"" if header.usage is None else fields[header.usage]
    return _Row(number, fields[header.emotion], fields[header.pixels], usage)


def _convert(rows: list[_Row], path: Path, skip_bad: bool) -> _Block:
    images = parse_pixels([row.pixels for row in rows])
    if images is not None:
        try:
            labels = [_label(row) for row in rows]
            splits = [_split(row) for row in rows]
            return _Block(images, labels, splits, [row.number for row in rows], [])
        except DataError:
            pass  # find the bad row one by one
    return _convert_one_by_one(rows, path, skip_bad)


def _convert_one_by_one(rows: Iterable[_Row], path: Path, skip_bad: bool) -> _Block:
    block = _Block(np.empty((0, NUM_PIXELS), np.uint8), [], [], [], [])
    images = []
    for row in rows:
        try:
            image = parse_row_pixels(row.pixels)
            label = _label(row)
            split = _split(row)
        except DataError as error:
            message = f"{path}: row {row.number:,} {error}"
            if not skip_bad:
                raise DataError(
                    f"{message} (row 1 is the first below the header; "
                    "--skip-bad leaves bad rows out and lists them)"
                ) from None
            block.skipped.append(message)
            continue
        images.append(image)
        block.labels.append(label)
        block.splits.append(split)
        block.numbers.append(row.number)
    stacked = np.stack(images) if images else block.images
    return _Block(stacked, block.labels, block.splits, block.numbers, block.skipped)


def _label(row: _Row) -> int:
    return parse_label(row.emotion.decode("utf-8", "replace"))


def _split(row: _Row) -> str:
    """Return the split of a row; empty if it states none."""
    return parse_usage(row.usage.decode("utf-8", "replace")) if row.usage else ""
