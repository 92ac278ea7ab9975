"""FER-2013's CSV: ``emotion,pixels,Usage``, one face per row, and its common variants.

A generic CSV reader takes a minute for FER-2013's 270 MB, nearly all of it to turn 75 million
numbers from text into bytes. Here NumPy converts whole blocks of rows, on two threads. A block with
anything unexpected in it is converted again row by row, to report what is wrong and where.
"""

from __future__ import annotations

import zlib
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from mien.data.dataset import FaceDataset
from mien.data.fer2013 import USAGES
from mien.data.formats._csv_pixels import parse_pixels, parse_row_pixels, side_of
from mien.data.formats._csv_rows import (
    HEADER_BYTES,
    Row,
    open_csv,
    read_header,
    row_blocks,
)
from mien.data.formats._fields import (
    DRAWN,
    SKIP_BAD_ROWS,
    UnknownLabelError,
    parse_label,
    parse_usage,
)
from mien.data.formats._files import visible_files
from mien.data.formats._foreign import first_content, is_text
from mien.data.formats.base import (
    DEFAULT_OPTIONS,
    FORMATS,
    Format,
    ReadOptions,
    Source,
)
from mien.data.rows import Rows, collect_images, text_array
from mien.errors import DataError
from mien.images.crop import RELEASE_EVERY, CropSpec, to_crop
from mien.io.limits import BAD_ROWS
from mien.io.mapped import release_pages
from mien.io.text import csv_cell, read_csv_cell
from mien.labels import FER2013, LabelSet
from mien.types import Images

_WORKERS: Final = 2


@FORMATS.register("csv")
class CsvFormat(Format):
    """One CSV file, gzipped or not, or a folder that holds one."""

    expects = "a CSV (emotion,pixels,Usage)"
    order = 30
    suffix = ".csv"
    keeps_colour = False
    keeps_drawn = True
    numbers_rows = True

    def sniff(self, paths: Sequence[Path]) -> Source | None:
        """Return a file that looks like a CSV of faces, or the only one in a folder."""
        if len(paths) != 1:
            return None
        (path,) = paths
        if path.is_dir():
            tables = [
                table
                for table in visible_files(path, "*.csv*")
                if is_text(table) and _has_pixels(table)
            ]
            if not tables:
                return None
            if len(tables) > 1:
                names = ", ".join(table.name for table in tables)
                raise DataError(f"{path}: has {len(tables)} CSV files ({names}); name one of them")
            (path,) = tables
        else:
            name = path.name.lower().removesuffix(".gz")
            has_header = b"pixels" in first_content(path).lower()
            if not (has_header or name.endswith(".csv")) or not is_text(path):
                return None
        return Source(path.name.split(".")[0], (path,))

    def read(self, source: Source, options: ReadOptions) -> Rows:
        """Read the CSV file (see `read_csv`)."""
        return read_csv(source.files[0], options)

    def find_labels(self, source: Source) -> Iterable[str]:
        """Return the distinct values of the column emotion."""
        (path,) = source.files
        with open_csv(path) as handle:
            header = read_header(handle, path)
            rows = (row for rows in row_blocks(handle, header, path) for row in rows)
            return {_word(row) for row in rows}

    def write(self, dataset: FaceDataset, path: Path) -> None:
        """Write FER-2013's own columns, with numbers for its emotions and names for others."""
        names = dataset.names if dataset.label_set != FER2013 else range(len(FER2013))
        with path.open("w", encoding="utf-8", newline="") as handle:
            column, cell = (f",{DRAWN}", ",1") if dataset.drawn else ("", "")
            handle.write(f"emotion,pixels,Usage{column}\n")
            for number, (image, label, split) in enumerate(
                zip(dataset.images, dataset.labels, dataset.splits, strict=True)
            ):
                pixels = " ".join(map(str, image.ravel().tolist()))
                handle.write(f"{csv_cell(names[label])},{pixels},{USAGES[str(split)]}{cell}\n")
                if number % RELEASE_EVERY == 0:
                    release_pages(dataset.images)


@dataclass
class _Fields:
    """The fields of rows but their pixels, and what was left out."""

    labels: list[int] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, other: _Fields) -> None:
        self.labels += other.labels
        self.splits += other.splits
        self.numbers += other.numbers
        self.skipped += other.skipped
        self.unknown += other.unknown


def read_csv(path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Rows:
    """Read a CSV file with the columns emotion, pixels and, optionally, Usage.

    Column names may have any case, order and surrounding spaces, and may be other usual ones
    (label, split); classes may be numbers or names; fields may be quoted; lines may end in CRLF;
    the file may be gzipped.

    Args:
        path: path of the CSV file.
        options: labels, size and channels to read, and what becomes of bad rows.

    Raises:
        DataError: if the file cannot be read or has no usable row, or at the first bad row.
    """
    crops, read = collect_images(options.crop), _Fields()

    def take(block: tuple[Images, _Fields]) -> None:
        images, fields = block
        crops.add(images)
        read.add(fields)
        BAD_ROWS.check(len(read.skipped), path)

    with open_csv(path) as handle, ThreadPoolExecutor(_WORKERS) as pool:
        header = read_header(handle, path)
        waiting: deque[Future[tuple[Images, _Fields]]] = deque()
        side_px = 0
        try:
            for rows in row_blocks(handle, header, path):
                side_px = side_px or side_of(rows[0].pixels)
                waiting.append(pool.submit(_convert, rows, path, side_px, options))
                if len(waiting) > 2 * _WORKERS:  # bounds the memory that unread blocks hold
                    take(waiting.popleft().result())
            while waiting:
                take(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()

    if not read.numbers:
        first = f": {read.skipped[0]}" if read.skipped else ""
        raise DataError(
            f"{path}: no usable rows below the header ({len(read.skipped):,} skipped{first})"
        )
    return Rows(
        images=crops.finish(),
        labels=np.array(read.labels, np.int64),
        splits=np.array(read.splits, "<U5"),
        ids=text_array(f"row {number}" for number in read.numbers),
        rows=np.array(read.numbers, np.int64),
        skipped=read.skipped,
        unknown=dict(read.unknown),
        notes=[header.note] if header.note else [],
        drawn=header.drawn,
    )


def _has_pixels(table: Path) -> bool:
    """Return whether a CSV file has pixels; folders of images often hold one that has none."""
    try:
        with open_csv(table) as handle:
            return b"pixels" in handle.readline(HEADER_BYTES).lower()
    except (OSError, EOFError, zlib.error):
        return False


def _convert(
    rows: list[Row], path: Path, side_px: int, options: ReadOptions
) -> tuple[Images, _Fields]:
    images = parse_pixels([row.pixels for row in rows], side_px)
    if images is not None:
        try:
            labels = [_label(row, options.labels) for row in rows]
            splits = [_split(row) for row in rows]
            fields = _Fields(labels, splits, [row.number for row in rows])
            return _crops(images, options.crop), fields
        except DataError:
            pass  # find the bad row one by one
    return _convert_one_by_one(rows, path, side_px, options)


def _convert_one_by_one(
    rows: Iterable[Row], path: Path, side_px: int, options: ReadOptions
) -> tuple[Images, _Fields]:
    read, images = _Fields(), []
    for row in rows:
        try:
            image = parse_row_pixels(row.pixels, side_px)
            label = _label(row, options.labels)
            split = _split(row)
        except DataError as error:
            message = f"{path}: row {row.number:,} {error}"
            if not options.skip_bad:
                full = f"{message} (row 1 is the first below the header; {SKIP_BAD_ROWS})"
                if isinstance(error, UnknownLabelError):
                    raise UnknownLabelError(full, error.word) from None
                raise DataError(full) from None
            read.skipped.append(message)
            if isinstance(error, UnknownLabelError):
                read.unknown[error.word] += 1
            continue
        images.append(image)
        read.labels.append(label)
        read.splits.append(split)
        read.numbers.append(row.number)
    if not images:
        return np.empty((0, *options.crop.shape), np.uint8), read
    return _crops(np.stack(images), options.crop), read


def _crops(images: Images, crop: CropSpec) -> Images:
    """Return pixels as crops of the size and channels that are asked for."""
    if images.shape[1:] == crop.shape:
        return images
    return np.stack([to_crop(image, crop) for image in images])


def _label(row: Row, labels: LabelSet) -> int:
    return parse_label(_word(row), labels)


def _word(row: Row) -> str:
    """Return the word or number for the class of a row."""
    return read_csv_cell(row.emotion.decode("utf-8", "replace"))


def _split(row: Row) -> str:
    """Return the split of a row; empty if it states none."""
    return parse_usage(row.usage.decode("utf-8", "replace")) if row.usage else ""
