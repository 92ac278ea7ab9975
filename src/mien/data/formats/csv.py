"""The competition's CSV: ``emotion,pixels,Usage``, one face a row, and the variants people have.

A generic CSV reader takes a minute for FER-2013's 270 MB, nearly all of it to turn 75 million
numbers from text into bytes. Here whole blocks of rows are converted with NumPy, on two threads.
A block that holds anything unexpected is read again row by row, to name what is wrong and where.
"""

from __future__ import annotations

import gzip
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

from mien.data.dataset import FaceDataset
from mien.data.rows import Rows, join_images, text_array
from mien.data.split import COMPETITION_WORDS, split_of
from mien.errors import DataError, nearest
from mien.images.crop import SIZE_PX
from mien.io.files import atomic_file
from mien.labels import parse_emotion

NUM_PIXELS: Final = SIZE_PX * SIZE_PX
_BLOCK_BYTES: Final = 1 << 20  # about 125 rows: small enough for the CPU's cache
_WORKERS: Final = 2


@dataclass(frozen=True)
class _Header:
    emotion: int
    pixels: int
    usage: int | None
    width: int


@dataclass(frozen=True)
class _Row:
    """One row's fields as they stand in the file; ``number`` counts data rows from 1."""

    number: int
    emotion: bytes
    pixels: bytes
    usage: bytes


@dataclass(frozen=True)
class _Block:
    images: npt.NDArray[np.uint8]  # (n, 2304)
    labels: list[int]
    splits: list[str]
    numbers: list[int]
    skipped: list[str]


def read_csv(path: Path, *, skip_bad: bool = False) -> Rows:
    """Read a CSV with the columns emotion, pixels and, where there is one, Usage.

    Headers may have any case, order and surrounding spaces; emotions may be numbers or names;
    fields may be quoted; lines may end in CRLF; the file may be gzipped.

    Args:
        path: the file.
        skip_bad: leave bad rows out and list them, instead of raising at the first.

    Raises:
        DataError: for the first row that is wrong, with its number and what was expected.
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
        raise DataError(f"{path}: no usable rows below the header ({len(skipped):,} were skipped)")
    return Rows(
        images=join_images(block.images for block in _consume(blocks)),
        labels=np.array([label for block in blocks for label in block.labels], np.int64),
        splits=np.array([split for block in blocks for split in block.splits], "<U5"),
        ids=text_array(f"row {number}" for number in numbers),
        skipped=skipped,
    )


def write_csv(dataset: FaceDataset, path: Path) -> None:
    """Write a data set in the competition's own layout."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="ascii") as handle:
        handle.write("emotion,pixels,Usage\n")
        for image, label, split in zip(dataset.images, dataset.labels, dataset.splits, strict=True):
            pixels = " ".join(map(str, image.ravel().tolist()))
            handle.write(f"{label},{pixels},{COMPETITION_WORDS[str(split)]}\n")


def _consume(blocks: list[_Block]) -> Iterator[_Block]:
    """Give the blocks, and let go of their pixels once they are copied."""
    for index, block in enumerate(blocks):
        yield block
        empty = np.empty((0, NUM_PIXELS), np.uint8)
        blocks[index] = _Block(empty, block.labels, block.splits, block.numbers, block.skipped)


def open_csv(path: Path) -> BinaryIO:
    """Open a CSV for reading, gzipped or not."""
    try:
        with path.open("rb") as handle:
            gzipped = handle.read(2) == b"\x1f\x8b"
        return cast(BinaryIO, gzip.open(path)) if gzipped else path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _read_header(handle: BinaryIO, path: Path) -> _Header:
    try:
        line = handle.readline(65_536)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked ({error})") from error
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
    """Cut the file into blocks of rows; a row with too few fields becomes one with empty fields."""
    number = 0
    rest = b""
    while True:
        try:
            block = handle.read(_BLOCK_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path}: cannot be unpacked past row {number:,} ({error}); is it whole?"
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
    images = _parse_pixels([row.pixels for row in rows])
    if images is not None:
        try:
            labels = [_parse_label(row.emotion) for row in rows]
            splits = [_parse_usage(row.usage) for row in rows]
            return _Block(images, labels, splits, [row.number for row in rows], [])
        except DataError:
            pass  # one row is wrong: find it below
    return _convert_one_by_one(rows, path, skip_bad)


def _convert_one_by_one(rows: Iterable[_Row], path: Path, skip_bad: bool) -> _Block:
    block = _Block(np.empty((0, NUM_PIXELS), np.uint8), [], [], [], [])
    images = []
    for row in rows:
        try:
            image = _parse_row_pixels(row.pixels)
            label = _parse_label(row.emotion)
            split = _parse_usage(row.usage)
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


def _parse_pixels(texts: list[bytes]) -> npt.NDArray[np.uint8] | None:
    """Turn rows of numbers into bytes, (n, 2304); None where any row is not exactly that."""
    # Three separators in front let every number look back three characters.
    text = np.frombuffer(b"\n\n\n" + b"\n".join(texts) + b"\n", np.uint8)
    digits = text - np.uint8(48)  # wraps: everything but 0-9 becomes more than 9
    is_digit = digits < 10
    if not np.all(is_digit | (text == 32) | (text == 10)):
        return None
    (ends,) = np.nonzero(is_digit[:-1] & ~is_digit[1:])  # the last digit of every number
    row_ends = np.nonzero(text == 10)[0][3:]
    if len(ends) != len(texts) * NUM_PIXELS:
        return None
    if np.any(np.searchsorted(ends, row_ends) != np.arange(1, len(texts) + 1) * NUM_PIXELS):
        return None

    has_tens = is_digit[ends - 1]
    has_hundreds = has_tens & is_digit[ends - 2]
    if np.any(has_hundreds & is_digit[ends - 3]):
        return None  # four digits
    values = digits[ends].astype(np.uint16)
    values += 10 * np.where(has_tens, digits[ends - 1], 0).astype(np.uint16)
    values += 100 * np.where(has_hundreds, digits[ends - 2], 0).astype(np.uint16)
    if values.max(initial=0) > 255:
        return None
    return values.astype(np.uint8).reshape(-1, NUM_PIXELS)


def _parse_row_pixels(text: bytes) -> npt.NDArray[np.uint8]:
    words = text.split()
    if len(words) != NUM_PIXELS:
        raise DataError(f"has {len(words):,} pixels, expected {NUM_PIXELS:,} ({SIZE_PX}x{SIZE_PX})")
    for position, word in enumerate(words, start=1):
        if not word.isdigit() or len(word) > 20 or int(word) > 255:
            shown = word[:20].decode("utf-8", "replace")
            raise DataError(f"has {shown!r} as pixel {position:,}, expected 0 to 255")
    return np.array([int(word) for word in words], np.uint8)


def _parse_label(field: bytes) -> int:
    try:
        return parse_emotion(field.decode("utf-8", "replace")[:40])
    except DataError as error:
        raise DataError(f"has the {error}") from None


def _parse_usage(field: bytes) -> str:
    word = field.decode("utf-8", "replace")
    if not word:
        return ""
    split = split_of(word)
    if split is None:
        expected = ", ".join(COMPETITION_WORDS.values())
        raise DataError(f"has the Usage {word[:20]!r}, expected {expected}")
    return split
